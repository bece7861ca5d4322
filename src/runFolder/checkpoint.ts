import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LossgraftError, option } from '../errors.ts';
import { TEMPORARY, writeAll, writeFailed, writeWhole } from '../files/whole.ts';
import { isRecord } from '../isRecord.ts';
import type { EpochRecord } from '../records/epoch.ts';
import type { Checkpoint, RunMode } from '../records/run.ts';
import { VERSION } from '../version.ts';
import { makeFolder } from './lock.ts';
import { EventFiles } from './tensorboard.ts';

/** The start of a new run. */
export function beginning(settings: Checkpoint['settings']): Checkpoint {
  return {
    version: VERSION,
    settings,
    arm: 0,
    epoch: 0,
    step: 0,
    lossSum: 0,
    lossCount: 0,
    file: '',
    shared: null,
    best: null,
    bests: [],
    alphas: {},
    history: [],
    outcome: null,
  };
}

const FILE = 'checkpoint.json';

/** The folder of a run: `checkpoint.json`, the states that it names, `metrics.jsonl`, and event files for TensorBoard. */
export class RunFolder {
  readonly path: string;
  readonly #events: EventFiles;
  #count = 0;

  /** @param classNames in the order of their indices, for the tags of their recalls. */
  constructor(path: string, classNames?: readonly string[]) {
    this.path = path;
    this.#events = new EventFiles(join(path, 'tensorboard'), classNames);
  }

  /** @throws LossgraftError `run-exists` if there is already a run that is neither resumed nor replaced. */
  begin(mode: RunMode, settings: Checkpoint['settings']): Checkpoint | undefined {
    makeFolder(this.path);
    if (mode === 'replace') for (const name of [FILE, ...this.#states()]) rmSync(this.file(name), { force: true });
    const checkpoint = this.found(mode, settings);
    this.#sweep();
    if (checkpoint === undefined) return undefined;
    const numbers = this.#states().map((file) => Number(/-(\d+)\.safetensors$/.exec(file)?.[1] ?? 0));
    this.#count = Math.max(0, ...numbers);
    return checkpoint;
  }

  /** The checkpoint from which a run would continue; nothing is changed. @throws LossgraftError as {@link begin} does */
  found(mode: RunMode, settings: Checkpoint['settings']): Checkpoint | undefined {
    this.refuseExisting(mode);
    if (mode !== 'resume' || !existsSync(this.file(FILE))) return undefined;
    const checkpoint = this.#read();
    const before = checkpoint.settings;
    this.#compare(isLonger(before, settings) ? lengthened(before, settings) : before, settings);
    return checkpoint;
  }

  /** @throws LossgraftError `run-exists` if there is already a run that is neither resumed nor replaced. */
  refuseExisting(mode: RunMode): void {
    if (mode === 'new' && existsSync(this.file(FILE))) throw this.#exists();
  }

  /** The existing checkpoint. @throws LossgraftError `bad-checkpoint` */
  checkpoint(): Checkpoint | undefined {
    return existsSync(this.file(FILE)) ? this.#read() : undefined;
  }

  /** The path of a new state: never a name that a checkpoint refers to. */
  fresh(kind: 'state' | 'best' | 'shared' | 'half' | 'refit'): string {
    this.#count += 1;
    return `${kind}-${this.#count}.safetensors`;
  }

  file(name: string): string {
    return join(this.path, name);
  }

  /** Makes `checkpoint` the current one, in one rename, then removes states that it does not refer to. */
  commit(checkpoint: Checkpoint): void {
    writeText(this.file(FILE), `${JSON.stringify(checkpoint, withNames)}\n`);
    const { file, shared, best, bests, left = {}, outcome } = checkpoint;
    const ends = Object.values(left).flatMap((end) => [end.file, end.best?.file]);
    const written = [outcome?.decision.file, outcome?.refit?.file];
    const kept = new Set([file, shared, best?.file, ...bests.map((b) => b.file), ...ends, ...written]);
    for (const name of this.#states()) if (!kept.has(name)) rmSync(this.file(name), { force: true });
  }

  /** One line of JSON per epoch, and the same in TensorBoard's event files. */
  writeMetrics(history: readonly EpochRecord[]): void {
    writeText(this.file('metrics.jsonl'), history.map((record) => `${JSON.stringify(record, withNames)}\n`).join(''));
    this.#events.sync(history);
  }

  /** Incomplete files of a killed process. */
  #sweep(): void {
    for (const name of readdirSync(this.path)) if (TEMPORARY.test(name)) rmSync(this.file(name), { force: true });
  }

  #states(): string[] {
    return readdirSync(this.path).filter((file) => /^\.?(state|best|shared|half|refit)-\d+\.safetensors/.test(file));
  }

  #read(): Checkpoint {
    const path = this.file(FILE);
    try {
      const found = JSON.parse(readFileSync(path, 'utf8'), withNumbers) as Checkpoint;
      if (typeof found.file === 'string' && Array.isArray(found.history)) return found;
    } catch {
      // Reported below.
    }
    throw new LossgraftError({
      code: 'bad-checkpoint',
      where: path,
      expected: 'a checkpoint of lossgraft train',
      found: 'something else',
      hint: 'Start again in another folder',
    });
  }

  #compare(before: Checkpoint['settings'], now: Checkpoint['settings']): void {
    const other = difference(before, now);
    if (other === undefined) return;
    throw new LossgraftError({
      code: 'resume-settings',
      where: `${this.path}, setting ${other.setting}`,
      expected: `what the run began with: ${JSON.stringify(other.before) ?? 'nothing'}`,
      found: JSON.stringify(other.now) ?? 'nothing',
      hint: 'Resume with the same options, or start again in another folder',
    });
  }

  #exists(): LossgraftError {
    return new LossgraftError({
      code: 'run-exists',
      where: this.path,
      expected: 'a folder that holds no run',
      found: FILE,
      hint: `Go on with it (${option('mode', 'resume')}), choose another folder (${option('folder')}), or begin again (${option('force')})`,
    });
  }
}

/** Whether settings request more epochs than others. */
export function isLonger(before: Checkpoint['settings'], now: Checkpoint['settings']): boolean {
  return Number(partOf(now.schedule, 'epochs')) > Number(partOf(before.schedule, 'epochs'));
}

/** The settings that depend on the number of epochs. */
const OF_LENGTH = ['epochs', 'warmup', 'milestones'];

/** Settings with the length of others. */
function lengthened(before: Checkpoint['settings'], now: Checkpoint['settings']): Checkpoint['settings'] {
  const length = OF_LENGTH.map((key) => [key, partOf(now.schedule, key)] as const);
  return { ...before, schedule: { ...asRecord(before.schedule), ...Object.fromEntries(length) } };
}

function partOf(settings: unknown, key: string): unknown {
  return asRecord(settings)[key];
}

function asRecord(settings: unknown): Readonly<Record<string, unknown>> {
  return isRecord(settings) ? settings : {};
}

interface Difference {
  readonly setting: string;
  readonly before: unknown;
  readonly now: unknown;
}

/** The first part in which two settings differ, such as `schedule.epochs`. */
function difference(before: unknown, now: unknown, setting = ''): Difference | undefined {
  if (JSON.stringify(before) === JSON.stringify(now)) return undefined;
  if (!isRecord(before) || !isRecord(now)) return { setting, before, now };
  const keys = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  const found = keys.map((key) => difference(before[key], now[key], setting === '' ? key : `${setting}.${key}`));
  return found.find((each) => each !== undefined);
}

/** JSON has no NaN: non-finite numbers are written and read by name. */
function withNames(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? `#${value}` : value;
}

function withNumbers(_key: string, value: unknown): unknown {
  return typeof value === 'string' && /^#(NaN|-?Infinity)$/.test(value) ? Number(value.slice(1)) : value;
}

function writeText(path: string, text: string): void {
  const hint = `Free space on the disk: the checkpoint before this one is whole, and ${option('mode', 'resume')} goes on from it`;
  writeWhole(path, (fd) => writeAll(fd, Buffer.from(text)), { failed: (cause) => writeFailed(path, cause, hint) });
}
