import { existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { LossgraftError, option } from '../errors.ts';
import { checkWritable } from '../write.ts';

/** The file that marks a running run. */
const FILE = 'run.lock';

/** The holder of a folder. */
interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, ISO 8601. */
  readonly started: string;
  /** The same in kernel ticks, which distinguishes a process from a later one with the same id. `null` if unknown. */
  readonly ticks: string | null;
}

/** A folder that only this run writes into. */
export interface RunLock {
  /** Set if a stale lock was removed. */
  readonly note: string | undefined;
  /** Releases the folder, and removes it if it was created for the lock and is still empty. */
  release(): void;
}

/**
 * Creates a run's folder if needed, and holds it until {@link RunLock.release}, the end of the process, or a signal that ends it. The
 * lock of a process that no longer runs is removed.
 *
 * @throws LossgraftError `run-in-use` if another run holds the folder, `output-folder` if it cannot be created or written to.
 */
export function lockRun(folder: string): RunLock {
  const isNew = !existsSync(folder);
  makeFolder(folder);
  const file = join(folder, FILE);
  const own: Holder = { pid: process.pid, host: hostname(), started: startOf(), ticks: ticksOf('self') };
  const text = `${JSON.stringify(own)}\n`;
  let note: string | undefined;
  while (!create(file, text)) note = removeStale(folder, file) ?? note;
  const release = (): void => {
    unhook();
    if (read(file) === text) rmSync(file, { force: true });
    if (isNew) removeEmpty(folder);
  };
  const unhook = atEnd(release);
  return { note, release };
}

/** Creates the folder of a run. @throws LossgraftError `output-folder` */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (cause) {
    throw new LossgraftError({
      code: 'output-folder',
      where: path,
      expected: 'a folder for checkpoints that can be created',
      found: cause instanceof Error ? cause.message : String(cause),
      hint: `Choose another one (${option('folder')}), or change permissions`,
      cause,
    });
  }
  checkWritable(path, path);
}

/** @returns false if the file exists already. */
function create(file: string, text: string): boolean {
  try {
    writeFileSync(file, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

/** Removes the lock of a process that no longer runs. @returns a note about it. @throws LossgraftError `run-in-use` */
function removeStale(folder: string, file: string): string | undefined {
  const text = read(file);
  if (text === undefined) return undefined;
  const holder = holderOf(text);
  if (holder === undefined ? isFresh(file) : isAlive(holder)) throw inUse(folder, file, holder);
  // Two runs may find the same stale lock: the moved file is checked again, in case it is the other run's new lock.
  const aside = `${file}.${process.pid}.tmp`;
  try {
    renameSync(file, aside);
  } catch {
    return undefined;
  }
  if (read(aside) !== text) {
    renameSync(aside, file);
    return undefined;
  }
  rmSync(aside, { force: true });
  const who = holder === undefined ? 'a run' : `process ${holder.pid}, begun ${holder.started}`;
  return `The folder ${folder} was left locked by ${who}, which no longer runs; the lock was removed`;
}

function holderOf(text: string): Holder | undefined {
  try {
    const { pid, host, started, ticks } = JSON.parse(text) as Partial<Record<keyof Holder, unknown>>;
    if (typeof pid !== 'number' || typeof host !== 'string' || typeof started !== 'string') return undefined;
    return { pid, host, started, ticks: typeof ticks === 'string' ? ticks : null };
  } catch {
    return undefined;
  }
}

/** A lock without a readable holder is being written, or was left by a process that died writing it. */
const WRITING_SECONDS = 10;

function isFresh(file: string): boolean {
  const made = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  return made !== undefined && Date.now() - made < 1000 * WRITING_SECONDS;
}

/** A process on another machine cannot be checked: it counts as alive. */
function isAlive({ pid, host, ticks }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
  }
  const now = ticksOf(String(pid));
  return ticks === null || now === null || ticks === now;
}

function startOf(): string {
  return new Date(Date.now() - 1000 * process.uptime()).toISOString();
}

/** When a process began, in the ticks of Linux's /proc/PID/stat (field 22; the name before it may hold spaces). */
function ticksOf(pid: string): string | null {
  const stat = read(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

function inUse(folder: string, file: string, holder: Holder | undefined): LossgraftError {
  const isOther = holder !== undefined && holder.host !== hostname();
  const what =
    holder === undefined
      ? 'a run that is just starting'
      : `process ${holder.pid}${isOther ? ` of ${holder.host}` : ''}`;
  const since = holder === undefined ? '' : `, which began ${holder.started}`;
  const remove = isOther ? `. If that process no longer runs, remove ${file}` : '';
  return new LossgraftError({
    code: 'run-in-use',
    where: folder,
    expected: 'a folder that no other run is using',
    found: `${what}${since}`,
    hint: `Wait until it ends, or choose another folder (${option('folder')})${remove}`,
  });
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It is no longer empty.
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Releases the folders that this process holds. */
const held = new Set<() => void>();

/** Calls `release` when the process ends, or before a signal ends it. @returns a function that removes the handlers. */
function atEnd(release: () => void): () => void {
  if (held.size === 0) {
    process.on('exit', releaseAll);
    // Runs before other listeners, so that a one-time listener is still counted.
    for (const signal of SIGNALS) process.prependListener(signal, onSignal);
  }
  held.add(release);
  return () => {
    held.delete(release);
    if (held.size > 0) return;
    process.off('exit', releaseAll);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
}

function releaseAll(): void {
  for (const release of held) release();
}

/** Another listener, such as the command line's, may end the run in an orderly way. */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  releaseAll();
  process.kill(process.pid, signal);
}
