import type { Argv, CommandModule } from 'yargs';
import type { OptionsOf, Rows } from '../src/catalogue.ts';
import { catalogueFlags, completedCatalogue, declareCatalogue, type Group, givenOfCatalogue } from './declared.ts';
import { commandLine } from './flags.ts';
import { startTelling, type Telling } from './log.ts';
import { type Completed, completedOf, declareRows, flagsOf, givenByRows } from './rows.ts';

/** Everything lossgraft can do. It is loaded when a command runs: help needs none of it. */
export type Door = typeof import('../src/index.ts');

/** The options of a command line. The library checks names: their types are wider than the library's. */
export interface Given<T extends Rows> {
  readonly options: OptionsOf<T>;
  /** Options that losses, weightings and optimizers declare. */
  readonly declared: Readonly<Record<string, unknown>>;
  readonly json: boolean;
}

interface Definition<T extends Rows, D> {
  readonly name: string;
  readonly describe: string;
  readonly rows: T;
  /** The parts of the catalogue whose options the command has. */
  readonly catalogue?: readonly Group[];
  readonly examples: readonly (readonly [command: string, what: string])[];
  readonly epilogue?: string;
  readonly run: (given: Given<T>, lossgraft: D) => Promise<void>;
}

/** A yargs command; with `all` its help shows all options, not only those that a first run needs. */
export interface Command {
  readonly usage: string;
  /** Its options, without dashes. */
  readonly flags: readonly string[];
  readonly describe: string;
  /** Its options and the words that may follow its name, for shell completion. */
  readonly completed: readonly Completed[];
  readonly words: readonly string[];
  module(all: boolean): CommandModule;
}

export function command<T extends Rows>(definition: Definition<T, Door>): Command {
  return commandWith(() => import('../src/index.ts'), definition);
}

/** A command that needs only a part of lossgraft, and so starts sooner. */
export function commandWith<T extends Rows, D>(door: () => Promise<D>, definition: Definition<T, D>): Command {
  const { name, describe, rows, catalogue = [], run } = definition;
  const usage = [name, ...Object.entries(rows).flatMap(positionalOf)].join(' ');
  return {
    usage,
    flags: [...flagsOf(rows), ...catalogueFlags(catalogue)],
    describe,
    completed: [...completedOf(rows), ...completedCatalogue(catalogue, rows)],
    words: Object.values(rows).flatMap((row) => (row.positional && row.kind === 'choice' ? row.choices : [])),
    module: (all) => ({
      command: usage,
      describe,
      builder: (yargs) => {
        declareRows(yargs, rows, all);
        for (const group of catalogue) declareCatalogue(yargs, group, rows, all);
        return outro(yargs, definition, all);
      },
      handler: async (argv) => {
        startTelling(tellingOf(argv), commandLine());
        const [options, lossgraft] = await Promise.all([givenByRows(rows, argv), door()]);
        await run({ options, declared: givenOfCatalogue(catalogue, rows, argv), json: argv.json === true }, lossgraft);
      },
    }),
  };
}

function tellingOf({ quiet, logFile }: Readonly<Record<string, unknown>>): Telling {
  return { quiet: quiet === true, logFile: typeof logFile === 'string' ? logFile : undefined };
}

function positionalOf([key, { positional, required }]: readonly [string, Rows[string]]): string[] {
  if (positional === undefined) return [];
  if (!required) return [`[${key}]`];
  return [positional === 'many' ? `<${key}..>` : `<${key}>`];
}

function outro<T extends Rows, D>(
  yargs: Argv,
  { name, rows, examples, epilogue }: Definition<T, D>,
  all: boolean,
): Argv {
  for (const [line, what] of examples) yargs.example(`$0 ${line}`, what);
  const isPartial = !all && Object.values(rows).some(({ first, required }) => !first && !required);
  const more = isPartial ? `lossgraft ${name} --help-all shows all options.` : '';
  return yargs.epilogue([epilogue, more].filter(Boolean).join('\n\n'));
}
