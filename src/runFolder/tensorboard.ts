import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { LossgraftError, option } from '../errors.ts';
import { METRICS, type MetricName } from '../metrics/metrics.ts';
import type { EpochRecord } from '../records/epoch.ts';
import { frameRecord, readRecords } from './tfrecord.ts';

/** The parts of TensorFlow's event.proto and summary.proto that scalars need; by event.proto the first event of a file is its version. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Event {
    double wallTime = 1;
    int64 step = 2;
    oneof what { string fileVersion = 3; Summary summary = 5; }
  }
  message Summary {
    message Value { string tag = 1; oneof value { float simpleValue = 2; } }
    repeated Value value = 1;
  }
`);
const Event = root.lookupType('Event');
const FILE_VERSION = 'brain.Event:2';

/** TensorBoard reads files with `tfevents` in their names; a fixed name lets a resumed run find its file. */
const FILE = 'events.out.tfevents.0.lossgraft';

/** With more classes TensorBoard gets no recalls: each would be a chart of its own, and 40 bytes per epoch. */
export const MAX_RECALLS = 1000;

/** @returns a note if the event files leave the recalls out. */
export function recallNote(classes: number): string | undefined {
  if (classes <= MAX_RECALLS) return undefined;
  return `TensorBoard's files have no recall by class: there are ${classes} classes, and they take up to ${MAX_RECALLS}. metrics.jsonl has them`;
}

/** Metrics without a tag of their own. */
const OTHERS = (Object.keys(METRICS) as MetricName[]).filter(
  (name) => name !== 'accuracy' && name !== 'balancedAccuracy',
);

/** `averagePrecision` → `average_precision` */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The scalars of an epoch by TensorBoard tag. A class without a unique name is identified by its index. */
function scalarsOf(record: EpochRecord, classNames: readonly string[]): [string, number][] {
  const { trainLoss, validationLoss, balancedAccuracy, accuracy, many, medium, few, recall, rate } = record;
  const recalls = recall.length > MAX_RECALLS ? [] : recall;
  const all: (readonly [string, number | null | undefined])[] = [
    ['loss/train', trainLoss],
    ['loss/validation_cross_entropy', validationLoss],
    ['accuracy/balanced', balancedAccuracy],
    ['accuracy/all', accuracy],
    ['accuracy/many', many],
    ['accuracy/medium', medium],
    ['accuracy/few', few],
    ['learning_rate', rate],
    ['mixed_precision/skipped_steps', record.skippedSteps],
    ['mixed_precision/loss_scale', record.lossScale],
    ...OTHERS.map((name) => [`metrics/${METRICS[name].option.replace('-', '_')}`, record[name]] as const),
    ...recalls.map((value, k) => [`recall/${classNames[k] ?? k}`, value] as const),
    ...Object.entries(record.classes ?? {}).flatMap(([name, values]) =>
      values.map((value, k) => [`${snakeCase(name)}/${classNames[k] ?? k}`, value] as const),
    ),
  ];
  return all.flatMap(([tag, value]) => (typeof value === 'number' ? [[tag, value]] : []));
}

/** The event files of a run: one folder for each arm. Every epoch is appended once, also by a resumed run. */
export class EventFiles {
  readonly #folder: string;
  readonly #classNames: readonly string[];
  /** The number of records in each arm's file; unknown until the file was compared with the history. */
  readonly #written = new Map<string, number>();
  #isClean = false;

  constructor(folder: string, classNames: readonly string[] = []) {
    this.#folder = folder;
    this.#classNames = classNames;
  }

  /**
   * Makes the files hold exactly the history: the matching part stays, the rest is replaced.
   *
   * @throws LossgraftError `write-failed`
   */
  sync(history: readonly EpochRecord[]): void {
    const arms = [...new Set(history.map(({ arm }) => arm))];
    try {
      if (!this.#isClean) this.#removeOthers(arms.map(folderName));
      this.#isClean = true;
      for (const arm of arms)
        this.#append(
          arm,
          history.filter((record) => record.arm === arm),
        );
    } catch (cause) {
      throw new LossgraftError({
        code: 'write-failed',
        where: this.#folder,
        expected: 'writable event files',
        found: cause instanceof Error ? cause.message : String(cause),
        hint: `Free space on the disk; ${option('mode', 'resume')} goes on from the last checkpoint`,
        cause,
      });
    }
  }

  #append(arm: string, history: readonly EpochRecord[]): void {
    const folder = join(this.#folder, folderName(arm));
    const path = join(folder, FILE);
    const now = Date.now() / 1000;
    const events = [
      versionEvent,
      ...history.map((record) => (wallTime: number) => this.#scalarEvent(record, wallTime)),
    ];
    const known = this.#written.get(arm);
    mkdirSync(folder, { recursive: true });
    const kept =
      known === undefined ? matching(existsSync(path) ? readFileSync(path) : Buffer.alloc(0), events) : undefined;
    const fresh = events.slice(kept?.count ?? known).map((event) => frameRecord(event(now)));
    const fd = openSync(path, 'a');
    try {
      if (kept) ftruncateSync(fd, kept.bytes);
      const bytes = Buffer.concat(fresh);
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    } finally {
      closeSync(fd);
    }
    this.#written.set(arm, events.length);
  }

  #scalarEvent(record: EpochRecord, wallTime: number): Uint8Array {
    const value = scalarsOf(record, this.#classNames).map(([tag, simpleValue]) => ({ tag, simpleValue }));
    // proto3 leaves a zero out.
    const step = record.epoch === 0 ? {} : { step: record.epoch };
    return Event.encode({ wallTime, ...step, summary: { value } }).finish();
  }

  /** From a replaced run. */
  #removeOthers(kept: readonly string[]): void {
    if (!existsSync(this.#folder)) return;
    for (const name of readdirSync(this.#folder)) {
      if (!kept.includes(name)) rmSync(join(this.#folder, name, FILE), { force: true });
    }
  }
}

type EventAt = (wallTime: number) => Uint8Array;

function versionEvent(wallTime: number): Uint8Array {
  return Event.encode({ wallTime, fileVersion: FILE_VERSION }).finish();
}

/** How many of the given events a file begins with, regardless of their times, and their size in bytes. */
function matching(file: Uint8Array, events: readonly EventAt[]): { readonly count: number; readonly bytes: number } {
  const records = readRecords(file);
  const wrong = events.findIndex((event, i) => {
    const record = records[i];
    return record === undefined || Buffer.compare(record, event(wallTimeOf(record))) !== 0;
  });
  const count = wrong < 0 ? events.length : wrong;
  return { count, bytes: records.slice(0, count).reduce((sum, record) => sum + frameRecord(record).length, 0) };
}

function wallTimeOf(record: Uint8Array): number {
  return Number(Event.toObject(Event.decode(record), { defaults: true }).wallTime);
}

/** A folder name for an arm: characters with a meaning in paths become codes. */
function folderName(arm: string): string {
  const coded = (character: string): string =>
    [...Buffer.from(character)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  return arm.replace(/^\.|[^\w.+-]/gu, coded) || '%';
}
