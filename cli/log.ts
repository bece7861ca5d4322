import { closeSync, openSync, writeSync } from 'node:fs';
import { LossgraftError } from '../src/catalogue.ts';

/** Whether stderr shows errors only. */
let isQuiet = false;
let file: number | undefined;

/** Options of the command line that apply to the whole process. */
export interface Telling {
  readonly quiet: boolean;
  /** Receives a copy of all messages, each line with its time. */
  readonly logFile: string | undefined;
}

/** Follows `--quiet` and `--log-file` from now on. @throws LossgraftError `write-failed` */
export function startTelling({ quiet, logFile }: Telling, command: string): void {
  isQuiet = quiet;
  if (logFile === undefined) return;
  try {
    file = openSync(logFile, 'a');
  } catch (cause) {
    throw new LossgraftError({
      code: 'write-failed',
      where: logFile,
      expected: 'a log file that can be written',
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'Check the folder and its permissions',
      cause,
    });
  }
  record(command);
  process.once('exit', (status) => {
    record(`exit status ${status}`);
    if (file !== undefined) closeSync(file);
  });
}

/** Prints a message beside the results: on stderr, unless quiet, and in the log. */
export function tell(text: string): void {
  if (!isQuiet) process.stderr.write(text);
  record(text);
}

/** Prints an error, even if quiet. */
export function tellError(text: string): void {
  process.stderr.write(text);
  record(text);
}

/** Adds lines to the log, each with its time. */
export function record(text: string): void {
  if (file === undefined) return;
  const now = new Date().toISOString();
  const lines = text.replace(/\n$/, '').split('\n');
  writeSync(file, lines.map((line) => `${now} ${line}\n`).join(''));
}

/** Whether someone may be watching progress. */
export function isWatched(): boolean {
  return process.stderr.isTTY && !isQuiet;
}
