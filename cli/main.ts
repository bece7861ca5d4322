#!/usr/bin/env node
import { hideBin } from 'yargs/helpers';
import { createCli, helpCommand } from './cli.ts';
import { printFailure, statusOf } from './failure.ts';

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
  const json = args.includes('--json') || args.includes('--json=true');
  await printFailure(error, { debug, json, help: helpCommand(args) });
  process.exitCode = statusOf(error);
}
