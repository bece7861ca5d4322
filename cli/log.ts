import { closeSync, openSync, writeSync } from 'node:fs';
import { LossgraftError } from '../src/catalogue.ts';

/** Whether stderr hears of errors only. */
let isQuiet = false;
let file: number | undefined;

/** What the command line says of the process as a whole. */
export interface Telling {
  readonly quiet: boolean;
  /** Where a copy of what people are told goes, line by line with its time. */
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

/** Says something beside the results: on stderr, unless it is to be quiet, and in the log. */
export function tell(text: string): void {
  if (!isQuiet) process.stderr.write(text);
  record(text);
}

/** Says what went wrong, also where it is to be quiet. */
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

/** Whether somebody watches progress. */
export function isWatched(): boolean {
  return process.stderr.isTTY && !isQuiet;
}
