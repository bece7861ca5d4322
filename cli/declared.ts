import type { Argv, Options } from 'yargs';
import { losses, type OptionSpec, optimizers, weightings } from '../src/index.ts';

/** `focalScale` → `focal-scale` */
export function kebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

interface Declared {
  readonly key: string;
  readonly spec: OptionSpec;
  /** What declares it, and with which default. */
  readonly owners: readonly { readonly name: string; readonly default: OptionSpec['default'] }[];
}

interface Owner {
  readonly name: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
}

/** What declares options of its own, by the heading under which the help lists them. */
export type Group = 'losses' | 'optimizers';

const OWNERS: Readonly<Record<Group, readonly Owner[]>> = {
  losses: [
    ...Object.values(losses),
    ...Object.values(weightings).map(({ name, options }) => ({ name: `--class-weights ${name}`, options })),
  ],
  optimizers: Object.values(optimizers),
};

/** Every option that a group declares, by its key. One declared by several is described by the first. */
function declaredOptions(group: Group): Declared[] {
  const found = new Map<string, Declared>();
  for (const { name, options } of OWNERS[group]) {
    for (const [key, spec] of Object.entries(options)) {
      const before = found.get(key);
      const owner = { name, default: spec.default };
      found.set(key, { key, spec: before?.spec ?? spec, owners: [...(before?.owners ?? []), owner] });
    }
  }
  return [...found.values()];
}

/**
 * Declares the options of all losses and weightings, or of all optimizers.
 *
 * @param except keys that a command declares for itself.
 */
export function declareOptions<T>(yargs: Argv<T>, group: Group, except: readonly string[] = []): Argv<T> {
  for (const { key, spec, owners } of declaredOptions(group)) {
    if (except.includes(key)) continue;
    const describe = `${spec.describe} (${describeDefaults(owners)})`;
    yargs.option(kebabCase(key), { ...kindOf(spec), group: `Options of the ${group}:`, describe });
  }
  return yargs;
}

/** The given ones of {@link declareOptions}, by the keys under which they are declared. */
export function givenOptions(argv: Readonly<Record<string, unknown>>, group: Group): Record<string, unknown> {
  const given = declaredOptions(group).map(({ key }) => [key, argv[kebabCase(key)]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** `ib, ib-focal; default 1000`, or `sgd: default 0; adamw: default 0.01` where they differ. */
function describeDefaults(owners: Declared['owners']): string {
  const defaults = new Set(owners.map((owner) => owner.default));
  const names = owners.map(({ name }) => name).join(', ');
  if (defaults.size === 1) return `${names}; default ${[...defaults].join()}`;
  return owners.map((owner) => `${owner.name}: default ${owner.default}`).join('; ');
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
