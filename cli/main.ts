#!/usr/bin/env node
import { hideBin } from 'yargs/helpers';
import { createCli, helpCommand } from './cli.ts';
import { printFailure, statusOf } from './failure.ts';

// A reader that has seen enough (head) is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  if (error.code !== 'EIO') throw error;
});
// If the terminal was closed, nobody reads messages: the work continues.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
});

const args = hideBin(process.argv);
const debug = args.includes('--debug') || (process.env.LOSSGRAFT_DEBUG ?? '') !== '';
try {
  const cli = await createCli(args);
  await cli.parseAsync();
} catch (error) {
  const json = args.includes('--json') || args.includes('--json=true');
  await printFailure(error, { debug, json, help: helpCommand(args) });
  process.exitCode = statusOf(error);
}
