import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { writeAll, writeWhole } from '../files/whole.ts';
import { isRecord } from '../isRecord.ts';
import type { RunFile } from '../records/runFile.ts';

/** The record of a run, in its folder. */
export const RUN_FILE = 'run.json';

/** Replaces the record of a run; its start time stays, and each resumption adds a time. */
export function writeRunFile(folder: string, run: RunFile, isResumed: boolean): void {
  const before = isResumed ? recordIn(folder) : undefined;
  const times = before && { begun: before.begun, resumed: [...before.resumed, run.begun] };
  const text = `${JSON.stringify({ ...run, ...times }, undefined, 2)}\n`;
  writeWhole(join(folder, RUN_FILE), (fd) => writeAll(fd, Buffer.from(text)));
}

/** The record in the folder of a run, if there is one. @throws LossgraftError `bad-config` */
export function recordIn(folder: string): RunFile | undefined {
  const path = join(folder, RUN_FILE);
  return existsSync(path) ? readRunFile(path) : undefined;
}

/** Options of `train` by key, from a file. */
export interface RunConfig {
  readonly options: Readonly<Record<string, unknown>>;
  /** Set if the file is the record of a run. */
  readonly run: RunFile | undefined;
}

/**
 * The options of a run from its `run.json`, or from an object of options. Values that lossgraft chose itself are left out: it chooses
 * them again.
 *
 * @throws LossgraftError `bad-config` for any other file, and for a run that no file can repeat.
 */
export function readConfig(path: string): RunConfig {
  const found = readJson(path);
  if (!('notRepeatable' in found)) return { options: found, run: undefined };
  const run = checked(path, found);
  if (run.notRepeatable.length > 0) throw lost(path, run.notRepeatable);
  const given = Object.entries(run.options).filter(([, { settled }]) => !settled);
  return { options: Object.fromEntries(given.map(([key, { value }]) => [key, value])), run };
}

/** @throws LossgraftError `bad-config` */
function readRunFile(path: string): RunFile {
  return checked(path, readJson(path));
}

function checked(path: string, found: Readonly<Record<string, unknown>>): RunFile {
  const { options, versions, data, model, resumed, begun, workingFolder, folder } = found;
  const isRun = [options, versions, data, model].every(isRecord) && Array.isArray(resumed);
  if (isRun && [begun, workingFolder, folder].every((text) => typeof text === 'string'))
    return found as unknown as RunFile;
  throw badConfig(path, 'the record of a run, as lossgraft writes it', 'something else');
}

function readJson(path: string): Readonly<Record<string, unknown>> {
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw badConfig(path, 'a file of JSON', cause instanceof Error ? cause.message : String(cause), cause);
  }
  if (isRecord(found)) return found;
  throw badConfig(path, 'an object', Array.isArray(found) ? 'a list' : String(found));
}

function badConfig(where: string, expected: string, found: string, cause?: unknown): LossgraftError {
  const hint = `Give the ${RUN_FILE} of a run, or an object of options such as {"model": "net.onnx", "data": "train.npz", "epochs": 5}`;
  return new LossgraftError({ code: 'bad-config', where, expected, found, hint, cause });
}

function lost(where: string, what: readonly string[]): LossgraftError {
  return new LossgraftError({
    code: 'bad-config',
    where,
    expected: 'a run of which a file can hold all options',
    found: `${what.join(', ')} given by a program`,
    hint: 'Repeat it with that program',
  });
}
