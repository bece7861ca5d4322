#!/usr/bin/env node
import { hideBin } from 'yargs/helpers';
import { createCli, helpCommand } from './cli.ts';
import { printError } from './io.ts';

// A reader that has seen enough (head) is no failure of ours.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

const args = hideBin(process.argv);
const debug = args.includes('--debug') || (process.env.LOSSGRAFT_DEBUG ?? '') !== '';
try {
  await createCli(args).parseAsync();
} catch (error) {
  printError(error, debug, helpCommand(args));
  process.exitCode = 2;
}
