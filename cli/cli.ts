import yargs, { type Argv } from 'yargs';
import { VERSION } from '../src/catalogue.ts';
import type { Command } from './command.ts';
import { COMMAND_NAMES, commandName, commandsFor } from './commands.ts';
import { STATUS } from './failure.ts';
import { unknownCommand, unknownOptions } from './suggest.ts';
import { UsageError } from './usage.ts';

const EVERYWHERE = 'With every command:';

const EPILOGUE = `Exit status:
${Object.values(STATUS)
  .map(({ code, when }) => `${String(code).padStart(5)}  ${when}`)
  .join('\n')}

Results go to stdout, progress and notes to stderr. With --json an error is an object "error" on stdout, too.`;

/** Otherwise --no-decay-for-vectors would be read as the negation of --decay-for-vectors. */
const PARSER = { 'boolean-negation': false };

/** The command line. Wrong usage throws; nothing exits the process. */
export async function createCli(args: readonly string[]): Promise<Argv> {
  refuseUnknownCommand(args);
  const commands = await commandsFor(args);
  const named = commandName(args) === undefined ? undefined : commands[0];
  const all = args.includes('--help-all');
  const cli = yargs(args.map((arg) => (arg === '--help-all' ? '--help' : arg)))
    .scriptName('lossgraft')
    .parserConfiguration(PARSER)
    .locale('en')
    .usage('$0 COMMAND [OPTIONS]\n\nGraft imbalance-aware losses onto exported ONNX classifiers.')
    .option('json', { type: 'boolean', describe: 'Print the result as JSON', group: EVERYWHERE })
    .option('quiet', {
      type: 'boolean',
      describe: 'Print results and errors only, no notes and no progress',
      group: EVERYWHERE,
    })
    .option('log-file', {
      type: 'string',
      requiresArg: true,
      describe: 'Append notes, progress and results to this file, each line with its time',
      group: EVERYWHERE,
    })
    .option('debug', { type: 'boolean', describe: 'Show the stack trace of errors', group: EVERYWHERE })
    .option('help-all', { type: 'boolean', describe: 'Show help with all options of a command', group: EVERYWHERE })
    .version(VERSION)
    .help()
    .alias('h', 'help')
    .group(['help', 'version'], EVERYWHERE)
    .demandCommand(1, 1, 'Which command? See lossgraft --help')
    .strict()
    .check(refuseRepeats, true)
    .check((argv) => refuseNoNumbers(argv, args), true)
    .epilogue(EPILOGUE)
    .wrap(Math.min(110, process.stderr.columns ?? 110))
    .exitProcess(false)
    .fail((message, error) => {
      throw message === null ? error : new UsageError(explain(message, args, named));
    });
  for (const command of commands) cli.command(command.module(all));
  return cli;
}

/** @throws UsageError that suggests the command that may be meant. */
function refuseUnknownCommand([first = '']: readonly string[]): void {
  if (first === '' || first.startsWith('-') || COMMAND_NAMES.includes(first)) return;
  throw new UsageError(unknownCommand(first, COMMAND_NAMES));
}

/** Options given twice arrive as lists, and nothing says which one counts. */
function refuseRepeats(argv: Readonly<Record<string, unknown>>): true {
  const twice = Object.entries(argv).find(([key, value]) => Array.isArray(value) && key !== '_' && key !== 'dirs');
  if (twice !== undefined) throw new UsageError(`The option --${twice[0]} occurs more than once`);
  return true;
}

/** yargs parses a numeric option with another value as NaN. */
function refuseNoNumbers(argv: Readonly<Record<string, unknown>>, args: readonly string[]): true {
  const [key] = Object.entries(argv).find(([, value]) => Number.isNaN(value)) ?? [];
  if (key === undefined) return true;
  const flag = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  const at = args.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`));
  const given = args[at]?.slice(flag.length + 1) || args[at + 1];
  throw new UsageError(`${flag} expects a number but got ${JSON.stringify(given)}`);
}

/** The command that shows the help: `lossgraft train --help`. */
export function helpCommand(args: readonly string[]): string {
  return ['lossgraft', commandName(args), '--help'].filter(Boolean).join(' ');
}

/** @param command the one that the command line begins with. */
function explain(message: string, args: readonly string[], command: Command | undefined): string {
  const { usage, flags = [] } = command ?? {};
  const [, unknown] = /^Unknown arguments?: (.*)$/.exec(message) ?? [];
  const given = unknown?.split(', ').filter((name) => args.some((arg) => arg.split('=')[0] === `--${name}`)) ?? [];
  if (given.length > 0) return unknownOptions([...new Set(given)], [...flags, ...SHARED]);
  if (!message.startsWith('Not enough non-option arguments')) return message;
  return usage === undefined ? message : `${usage.replace(/^\S+ /, '')} is missing: lossgraft ${usage}`;
}

const SHARED = ['json', 'quiet', 'log-file', 'debug', 'help', 'help-all', 'version'];
