import type { Argv, Options } from 'yargs';
import { kebabCase, losses, type OptionSpec, optimizers, type Rows, weightings } from '../src/catalogue.ts';
import { type Completed, completedBy } from './rows.ts';

interface Declared {
  readonly key: string;
  readonly spec: OptionSpec;
  /** The entries that declare it, each with its default. */
  readonly owners: readonly { readonly name: string; readonly default: OptionSpec['default'] }[];
}

interface Owner {
  readonly name: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
}

/** The groups that declare options, by their heading in the help. */
export type Group = 'losses' | 'optimizers';

const OWNERS: Readonly<Record<Group, readonly Owner[]>> = {
  losses: [
    ...Object.values(losses),
    ...Object.values(weightings).map(({ name, options }) => ({ name: `--class-weights ${name}`, options })),
  ],
  optimizers: Object.values(optimizers),
};

/** Every option that a group declares, by key. The first of several declarations gives the description. */
function declaredBy(group: Group): Declared[] {
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

/** Declares the options of all losses and weightings, or of all optimizers, except those in the command's own table. */
export function declareCatalogue(yargs: Argv, group: Group, table: Rows, all: boolean): void {
  for (const { key, spec, owners } of declaredBy(group)) {
    if (key in table) continue;
    const describe = `${spec.describe} (${describeDefaults(owners)})`;
    const heading = `Options of the ${group}:`;
    yargs.option(kebabCase(key), { ...kindOf(spec), group: heading, describe, hidden: !all });
  }
}

/** The options of {@link declareCatalogue}, without dashes. */
export function catalogueFlags(groups: readonly Group[]): string[] {
  return groups.flatMap(declaredBy).map(({ key }) => kebabCase(key));
}

/** The options of {@link declareCatalogue}, for a shell. */
export function completedCatalogue(groups: readonly Group[], table: Rows): Completed[] {
  const own = groups.flatMap(declaredBy).filter(({ key }) => !(key in table));
  return own.map(({ key, spec }) => ({
    name: kebabCase(key),
    describe: spec.describe,
    values: completedBy(kindOf(spec)),
  }));
}

/** The given options of {@link declareCatalogue}, by key. */
export function givenOfCatalogue(
  groups: readonly Group[],
  table: Rows,
  argv: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const keys = groups.flatMap(declaredBy).map(({ key }) => key);
  const given = keys.filter((key) => !(key in table)).map((key) => [key, argv[kebabCase(key)]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** `ib, ib-focal; default 1000`, or `sgd: default 0; adamw: default 0.01` if they differ. */
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
