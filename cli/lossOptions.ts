import type { Argv, Options } from 'yargs';
import { losses, type OptionSpec, weightings } from '../src/index.ts';

/** `focalScale` → `focal-scale` */
export function kebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

interface Declared {
  readonly key: string;
  readonly spec: OptionSpec;
  /** The losses and weightings that declare it. */
  readonly owners: readonly string[];
}

/** Every option that a loss or a weighting declares, by its key. One declared by several is described by the first. */
function declaredOptions(): Declared[] {
  const found = new Map<string, Declared>();
  const owners = [
    ...Object.values(losses).map(({ name, options }) => ({ name, options })),
    ...Object.values(weightings).map(({ name, options }) => ({ name: `--class-weights ${name}`, options })),
  ];
  for (const { name, options } of owners) {
    for (const [key, spec] of Object.entries(options)) {
      const before = found.get(key);
      found.set(key, { key, spec: before?.spec ?? spec, owners: [...(before?.owners ?? []), name] });
    }
  }
  return [...found.values()];
}

/** Declares the options of all losses and weightings. */
export function declareLossOptions<T>(yargs: Argv<T>): Argv<T> {
  for (const { key, spec, owners } of declaredOptions()) {
    const describe = `${spec.describe} (${owners.join(', ')}; default ${spec.default})`;
    yargs.option(kebabCase(key), { ...kindOf(spec), group: 'Options of the losses:', describe });
  }
  return yargs;
}

/** The given ones of {@link declareLossOptions}, by the keys under which the losses declare them. */
export function givenLossOptions(argv: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = declaredOptions().map(({ key }) => [key, argv[kebabCase(key)]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

function kindOf(spec: OptionSpec): Options {
  switch (spec.kind) {
    case 'number':
      return { type: 'number', requiresArg: true };
    case 'flag':
      return { type: 'boolean' };
    case 'choice':
      return { type: 'string', requiresArg: true, choices: spec.choices };
  }
}
