import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { checkOptions, LossgraftError, type OptionsOf, type Rows } from '../src/catalogue.ts';
import type { Door } from './command.ts';

type RunFile = NonNullable<ReturnType<Door['readConfig']>['run']>;

/** Options from a file instead of the command line. */
export interface Config<T extends Rows> {
  readonly options: Partial<OptionsOf<T>>;
  /** Options that losses, weightings and optimizers declare. */
  readonly declared: Readonly<Record<string, unknown>>;
  /** The record of a run, if the file is one. */
  readonly run: RunFile | undefined;
  /** The working folder of the run, where it is now; without a run, that of this command. */
  readonly base: string;
  readonly notes: readonly string[];
}

/**
 * Reads options for the rows of a command: the `run.json` of a run, or an object of options by key. Input paths are looked up at their
 * old location, at the same place relative to a run that has moved, in the working folder, and in the file's folder.
 *
 * @param keys `isDeclared`: whether the catalogue declares a key; `isGiven`: whether the command line has it, which overrides the file.
 * @throws LossgraftError `bad-config`, and for options that the command does not have or whose values do not fit.
 */
export function readConfig<T extends Rows>(
  door: Door,
  path: string,
  rows: T,
  keys: { isDeclared(key: string): boolean; isGiven(key: string): boolean },
): Config<T> {
  const { options: found, run } = door.readConfig(path);
  const given = Object.entries(found).filter(([key]) => !keys.isGiven(key));
  const options = Object.fromEntries(given.filter(([key]) => !keys.isDeclared(key)));
  const [placed, notes] = placedIn(options, rows, path, run);
  check(path, rows, placed);
  return {
    options: placed as Partial<OptionsOf<T>>,
    declared: Object.fromEntries(given.filter(([key]) => keys.isDeclared(key))),
    run,
    base: foldersOf(path, run).find(existsSync) ?? process.cwd(),
    notes,
  };
}

function check(path: string, rows: Rows, options: Readonly<Record<string, unknown>>): void {
  try {
    checkOptions(optional(rows), options);
  } catch (error) {
    if (!(error instanceof LossgraftError)) throw error;
    throw new LossgraftError({ ...error.problem, where: `${path}, ${error.problem.where}` });
  }
}

function optional(rows: Rows): Rows {
  return Object.fromEntries(Object.entries(rows).map(([key, row]) => [key, { ...row, required: false }]));
}

/** Where relative paths may start: the old location, the same place relative to a run that has moved, here, and the file's folder. */
function foldersOf(file: string, run: RunFile | undefined): string[] {
  const here = resolve(dirname(file));
  const then = run === undefined ? [] : [run.workingFolder, resolve(here, relative(run.folder, run.workingFolder))];
  return [...new Set([...then, process.cwd(), here])];
}

/** The options with paths that are valid here, and notes on those found elsewhere. */
function placedIn(
  options: Readonly<Record<string, unknown>>,
  rows: Rows,
  file: string,
  run: RunFile | undefined,
): [options: Record<string, unknown>, notes: readonly string[]] {
  const bases = foldersOf(file, run);
  const notes: string[] = [];
  const place = (key: string, value: unknown): unknown => {
    if (!rows[key]?.isInput || typeof value !== 'string' || isShare(value)) return value;
    const base = bases.find((folder) => isThere(value, folder));
    if (base === undefined) throw notThere(file, key, value, bases);
    const [first] = bases;
    if (base !== first) notes.push(`${value} is taken from ${base}, since ${first} has none`);
    return fromHere(value, base);
  };
  return [Object.fromEntries(Object.entries(options).map(([key, value]) => [key, place(key, value)])), notes];
}

function isShare(value: string): boolean {
  return value.trim() !== '' && Number.isFinite(Number(value));
}

/** A path, a list of paths, or a pattern whose folder must exist. */
function isThere(value: string, base: string): boolean {
  const isFound = (path: string): boolean =>
    existsSync(resolve(base, /[*?]/.test(path) ? dirname(path.replace(/[*?].*$/, '_')) : path));
  return isFound(value) || (value.includes(',') && value.split(',').every(isFound));
}

/** A path relative to `base`, as a path from here. */
export function fromHere(value: string, base: string): string {
  if (base === process.cwd()) return value;
  const paths = existsSync(resolve(base, value)) ? [value] : value.split(',');
  return paths.map((path) => relative(process.cwd(), resolve(base, path)) || '.').join(',');
}

function notThere(file: string, key: string, value: string, bases: readonly string[]): LossgraftError {
  return new LossgraftError({
    code: 'bad-config',
    where: `${file}, option ${key}`,
    expected: `${value} in ${bases.join(' or ')}`,
    found: 'nothing of that name',
    hint: `Say where it is now: ${key === 'model' ? 'MODEL' : `\`${key}\``}`,
  });
}

/** The record in the folder of a run. @throws LossgraftError `no-run` */
export function recordOf(folder: string): string {
  const path = join(folder, 'run.json');
  if (existsSync(path) && existsSync(join(folder, 'checkpoint.json'))) return path;
  throw new LossgraftError({
    code: 'no-run',
    where: folder,
    expected: 'the folder of a run, with run.json and checkpoint.json',
    found: existsSync(folder) ? 'a path without them' : 'nothing',
    hint: 'Pass the folder that train wrote, such as tuned.run; without a folder, put --resume at the end of the command line of the run',
  });
}
