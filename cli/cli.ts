import yargs, { type Argv } from 'yargs';
import { VERSION } from '../src/index.ts';
import { augmentCommand } from './commands/augment.ts';
import { doctorCommand } from './commands/doctor.ts';
import { inspectCommand } from './commands/inspect.ts';
import { runCommand } from './commands/run.ts';
import { trainCommand } from './commands/train.ts';
import { trainGraphCommand } from './commands/trainGraph.ts';
import { validateCommand } from './commands/validate.ts';
import { UsageError } from './usage.ts';

const EVERYWHERE = 'With every command:';

const EPILOGUE = `Exit status: 0 when all went well, 1 when a check did not pass, 2 for wrong usage or bad input,
130 for a training that Ctrl-C ended.
Results go to stdout, progress and notes to stderr.`;

/** Else --no-decay-for-vectors would be read as the opposite of an option --decay-for-vectors. */
const PARSER = { 'boolean-negation': false };

/** The command line. Wrong usage throws; nothing exits the process. */
export function createCli(args: readonly string[]): Argv {
  return yargs([...args])
    .scriptName('lossgraft')
    .parserConfiguration(PARSER)
    .locale('en')
    .usage('$0 COMMAND [OPTIONS]\n\nGraft imbalance-aware losses onto exported ONNX classifiers.')
    .option('json', { type: 'boolean', describe: 'Print the result as JSON', group: EVERYWHERE })
    .option('debug', { type: 'boolean', describe: 'Show the stack of errors', group: EVERYWHERE })
    .command(inspectCommand)
    .command(augmentCommand)
    .command(trainGraphCommand)
    .command(trainCommand)
    .command(runCommand)
    .command(validateCommand)
    .command(doctorCommand)
    .version(VERSION)
    .help()
    .alias('h', 'help')
    .group(['help', 'version'], EVERYWHERE)
    .demandCommand(1, 1, 'Which command? See lossgraft --help')
    .strict()
    .recommendCommands()
    .check(refuseRepeats, true)
    .epilogue(EPILOGUE)
    .wrap(Math.min(110, process.stderr.columns ?? 110))
    .exitProcess(false)
    .fail((message, error) => {
      throw message === null ? error : new UsageError(message);
    });
}

/** Options given twice come as lists; which one counts would be anybody's guess. */
function refuseRepeats(argv: Readonly<Record<string, unknown>>): true {
  const twice = Object.entries(argv).find(([key, value]) => Array.isArray(value) && key !== '_' && key !== 'dirs');
  if (twice !== undefined) throw new UsageError(`The option --${twice[0]} is given more than once`);
  return true;
}
