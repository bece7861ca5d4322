import type { Argv } from 'yargs';

/** The arguments of a command that makes a file of a model. */
export interface FileArgs {
  model: string;
  output: string;
  force: boolean | undefined;
}

/** Declares {@link FileArgs}; `output` says what is written. */
export function fileOptions<T>(yargs: Argv<T>, output: string): Argv<T & FileArgs> {
  return yargs
    .positional('model', { type: 'string', demandOption: true, describe: 'An ONNX classifier' })
    .option('output', { alias: 'o', type: 'string', requiresArg: true, demandOption: true, describe: output })
    .option('force', { type: 'boolean', describe: 'Replace the output if it exists' });
}
