import type { Argv, Options } from 'yargs';
import { flagOf, losses, type OptionsOf, optimizers, type Row, type Rows, weightings } from '../src/catalogue.ts';
import { withFlags } from './flags.ts';
import { UsageError } from './usage.ts';

const REGISTRIES = { losses, optimizers, weightings };

/** Declares the options of a table; without `all`, the help shows only those that a first run needs. */
export function declareRows(yargs: Argv, rows: Rows, all: boolean): void {
  for (const [key, row] of Object.entries(rows)) {
    if (row.kind === 'group') declareRows(yargs, row.rows, all);
    else if (row.positional)
      yargs.positional(key, {
        type: 'string',
        array: row.positional === 'many',
        demandOption: row.required === true,
        ...(row.kind === 'choice' ? { choices: row.choices } : {}),
        describe: helpOf(row, all),
      });
    else if (row.flag !== false) yargs.option(nameOf(key, row), declaration(row, all));
    for (const [name, { describe }] of Object.entries(row.switches ?? {})) {
      yargs.option(name, { type: 'boolean', describe, hidden: !isShown(row, all), ...grouped(row) });
    }
  }
}

/** The options of a table, without dashes. */
export function flagsOf(rows: Rows): string[] {
  return Object.entries(rows).flatMap(([key, row]) => {
    if (row.kind === 'group') return flagsOf(row.rows);
    const own = row.flag === false || row.positional ? [] : [nameOf(key, row)];
    return [...own, ...Object.keys(row.switches ?? {})];
  });
}

/** An option as a shell completes it. */
export interface Completed {
  /** Without dashes. */
  readonly name: string;
  readonly alias?: string | undefined;
  readonly describe: string;
  /** Values by name; `file` for paths, `value` for numbers and the like, `none` for a switch. */
  readonly values: readonly string[] | 'file' | 'value' | 'none';
}

/** The options of a table, for shell completion. Positional arguments are left to the shell's file names. */
export function completedOf(rows: Rows): Completed[] {
  return Object.entries(rows).flatMap(([key, row]): Completed[] => {
    if (row.kind === 'group') return completedOf(row.rows);
    const switches = Object.entries(row.switches ?? {}).map(([name, { describe }]) => ({
      name,
      describe,
      values: 'none' as const,
    }));
    if (row.flag === false || row.positional) return switches;
    const values = row.kind === 'number' ? 'value' : completedBy(typeOf(row));
    return [{ name: nameOf(key, row), alias: row.alias, describe: withFlags(row.describe), values }, ...switches];
  });
}

/** A yargs option, for shell completion. */
export function completedBy({ type, choices }: Options): Completed['values'] {
  if (type === 'boolean') return 'none';
  if (choices) return choices.map(String);
  return type === 'number' ? 'value' : 'file';
}

/** The options of the command line, in the library's form. @throws UsageError for a text that cannot be parsed. */
export async function givenByRows<T extends Rows>(
  rows: T,
  argv: Readonly<Record<string, unknown>>,
): Promise<OptionsOf<T>> {
  const values = await Promise.all(
    Object.entries(rows).map(async ([key, row]) => [key, await givenBy(key, row, argv)] as const),
  );
  return Object.fromEntries(values.filter(([, value]) => value !== undefined)) as OptionsOf<T>;
}

async function givenBy(key: string, row: Row, argv: Readonly<Record<string, unknown>>): Promise<unknown> {
  if (row.kind === 'group') {
    const options = await givenByRows(row.rows, argv);
    return Object.keys(options).length > 0 ? options : undefined;
  }
  const found = row.flag === false ? undefined : argv[row.positional ? key : nameOf(key, row)];
  const switched = Object.entries(row.switches ?? {}).find(([name]) => argv[name] === true);
  if (switched === undefined) return typeof found === 'string' ? read(key, row, found) : found;
  if (found === undefined) return switched[1].value;
  throw new UsageError(`--${switched[0]} contradicts ${flagOf(key, row)} ${found}`);
}

async function read(key: string, row: Row, text: string): Promise<unknown> {
  if (row.kind !== 'value' || row.parse === undefined) return text;
  const value = await row.parse(text);
  if (value !== undefined) return value;
  throw new UsageError(`${flagOf(key, row)} expects ${row.reads ?? row.expects}, and found "${text}"`);
}

function nameOf(key: string, row: Row): string {
  return flagOf(key, row).slice(2);
}

function declaration(row: Row, all: boolean): Options {
  return {
    ...typeOf(row),
    describe: helpOf(row, all),
    hidden: !isShown(row, all),
    ...(row.alias === undefined ? {} : { alias: row.alias }),
    ...(row.required ? { demandOption: true } : {}),
    ...grouped(row),
  };
}

function isShown({ first, required }: Row, all: boolean): boolean {
  return all || first === true || required === true;
}

function grouped({ group }: Row): Options {
  return group === undefined ? {} : { group };
}

function typeOf(row: Row): Options {
  if (row.kind === 'flag') return { type: 'boolean' };
  if (row.kind === 'number') return { type: 'number', requiresArg: true };
  if (row.kind === 'choice') return { type: 'string', requiresArg: true, choices: row.choices };
  // Class weights may be a file.
  const choices =
    row.registry && row.registry !== 'weightings' ? { choices: Object.keys(REGISTRIES[row.registry]) } : {};
  return { type: 'string', ...(row.bare ? {} : { requiresArg: true }), ...choices };
}

function helpOf(row: Row, all: boolean): string {
  const known = 'default' in row && row.default !== undefined && row.kind !== 'flag' ? ` (default ${row.default})` : '';
  if (!all) return `${withFlags(row.describe)}${known}`;
  const entries = row.registry === undefined ? [] : Object.values(REGISTRIES[row.registry]);
  const lines = entries.map((entry) => {
    const isMadeOfCounts = 'needsCounts' in entry && entry.needsCounts;
    return `${entry.name}: ${entry.summary}${isMadeOfCounts ? '; built from the class counts' : ''}`;
  });
  return [
    `${withFlags(row.describe)}${known}`,
    ...lines,
    ...(row.more === undefined ? [] : [withFlags(row.more)]),
  ].join('\n');
}
