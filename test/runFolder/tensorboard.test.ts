import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { type Dataset, fromTensors, open, openData, type TrainResult, train } from '../../src/index.ts';
import type { EpochRecord } from '../../src/records/epoch.ts';
import { EventFiles } from '../../src/runFolder/tensorboard.ts';
import { frameRecord, maskedCrc32c, readRecords } from '../../src/runFolder/tfrecord.ts';
import { writeBranches } from '../support/branches.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const FIXTURE = join(ROOT, 'fixtures/tensorboard');
const FILE = 'events.out.tfevents.0.lossgraft';
const ARM = 'ce+inverse';
const classes: readonly string[] = JSON.parse(readFileSync(join(FIXTURE, 'classes.json'), 'utf8'));
const epochs: readonly EpochRecord[] = JSON.parse(readFileSync(join(FIXTURE, 'epochs.json'), 'utf8'));
/** What TensorBoard itself wrote for these epochs. */
const theirs = readFileSync(join(FIXTURE, 'events.out.tfevents'));

/** Takes the mask off: a rotation and a constant. */
function unmask(masked: number): number {
  const rotated = (masked - 0xa282ead8) >>> 0;
  return ((rotated >>> 17) | (rotated << 15)) >>> 0;
}

describe('TFRecord', () => {
  // RFC 3720, B.4.
  it.each([
    [new Uint8Array(32), 0x8a9136aa],
    [new Uint8Array(32).fill(0xff), 0x62a8ab43],
    [Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    [Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  ])('has the CRC32C of iSCSI', (bytes, crc) => {
    expect(unmask(maskedCrc32c(bytes))).toBe(crc);
  });

  it('frames as TensorBoard does, and reads it', () => {
    const records = readRecords(theirs);
    expect(records.length).toBe(epochs.length + 1);
    expect(Buffer.concat(records.map(frameRecord)).equals(theirs)).toBe(true);
  });

  it('reads up to the first damaged record', () => {
    const start = frameRecord(readRecords(theirs)[0] ?? new Uint8Array()).length;
    for (const at of [start, start + 9, start + 12, theirs.indexOf('accuracy/all')]) {
      const damaged = Buffer.from(theirs);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(readRecords(damaged).length, `byte ${at}`).toBe(1);
    }
    for (const length of [0, 7, 15, start - 1, start, start + 3]) {
      expect(readRecords(theirs.subarray(0, length)).length).toBe(length < start ? 0 : 1);
    }
  });
});

/** One epoch. */
async function trainOn(path: string, folder: string, data: Dataset): Promise<TrainResult> {
  const model = await open(path);
  try {
    return await train(model, { data, folder, loss: 'ce', classWeights: 'none', epochs: 1, report: false });
  } finally {
    model.close();
    data.close();
  }
}

/** Of an event, by tag: fields 1 (tag) and 2 (simple_value) of each field 1 (value) of its field 5 (summary). */
function scalarsIn(event: Uint8Array = new Uint8Array()): Map<string, number> {
  const [summary] = fieldsOf(event).get(5) ?? [];
  const values = (fieldsOf(summary).get(1) ?? []).map((value) => fieldsOf(value));
  return new Map(
    values.map((fields) => {
      const [[tag], [number]] = [fields.get(1) ?? [], fields.get(2) ?? []];
      const scalar = number ? new DataView(number.buffer, number.byteOffset).getFloat32(0, true) : Number.NaN;
      return [new TextDecoder().decode(tag), scalar];
    }),
  );
}

/** The payloads of a protobuf message by field number. */
function fieldsOf(message: Uint8Array = new Uint8Array()): Map<number, Uint8Array[]> {
  const reader = protobuf.Reader.create(message);
  const fields = new Map<number, Uint8Array[]>();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    const start = reader.pos;
    const payload = (tag & 7) === 2 ? reader.bytes() : undefined;
    if (!payload) reader.skipType(tag & 7);
    fields.set(tag >>> 3, [...(fields.get(tag >>> 3) ?? []), payload ?? message.subarray(start, reader.pos)]);
  }
  return fields;
}

describe('event files', () => {
  /** A run's folder that holds these bytes already. */
  function folderWith(bytes: Uint8Array, arm = ARM): string {
    const folder = temporaryFolder();
    mkdirSync(join(folder, arm));
    writeFileSync(join(folder, arm, FILE), bytes);
    return folder;
  }
  const read = (folder: string, arm = ARM): Buffer => readFileSync(join(folder, arm, FILE));

  it('are what TensorBoard writes, byte for byte', () => {
    const folder = folderWith(theirs);
    // Whatever differs from ours would be replaced, with the time of now.
    new EventFiles(folder, classes).sync(epochs);
    expect(read(folder).equals(theirs)).toBe(true);
  });

  it('have the recall of every class of a run by its name', async () => {
    const folder = temporaryFolder();
    const names = Array.from({ length: 10 }, (_, k) => `digit ${k}`);
    const { history, notes } = await trainOn(join(ROOT, 'fixtures/digits/model.onnx'), folder, {
      ...(await openData(join(ROOT, 'fixtures/digits/train.npz'))),
      classNames: names,
    });
    const records = readRecords(read(join(folder, 'tensorboard'), 'ce'));
    expect(records.length).toBe(history.length + 1);
    for (const [i, { recall, classes: byClass, macroF1, prAuc, logLoss }] of history.entries()) {
      const scalars = scalarsIn(records[i + 1]);
      for (const [tag, values] of [
        ['precision', byClass?.precision],
        ['average_precision', byClass?.averagePrecision],
      ] as const)
        for (const [k, name] of names.entries())
          expect(scalars.get(`${tag}/${name}`)).toBe(values?.[k] == null ? undefined : Math.fround(values[k]));
      const others = ['macro_f1', 'pr_auc', 'log_loss'].map((tag) => scalars.get(`metrics/${tag}`));
      expect(others).toEqual([macroF1, prAuc, logLoss].map((value) => Math.fround(value ?? -1)));
      for (const [k, name] of names.entries()) expect(scalars.get(`recall/${name}`)).toBe(Math.fround(recall[k] ?? -1));
    }
    expect(notes.join()).not.toContain('TensorBoard');
  });

  it('of too many classes have no recalls, and a note says so', async () => {
    const path = join(temporaryFolder(), 'model.onnx');
    writeBranches(path, { classes: 1001 });
    const folder = temporaryFolder();
    const rows = 40;
    const { history, notes } = await trainOn(
      path,
      folder,
      fromTensors({
        x: { dtype: 'float32', dims: [rows, 6], data: new Float32Array(rows * 6) },
        labels: { dtype: 'int64', dims: [rows], data: new BigInt64Array(rows) },
      }),
    );
    expect(history[0]?.recall).toHaveLength(1001);
    const tags = [...scalarsIn(readRecords(read(join(folder, 'tensorboard'), 'ce'))[1]).keys()];
    expect(tags).toContain('accuracy/balanced');
    expect(tags.filter((tag) => tag.startsWith('recall'))).toEqual([]);
    expect(notes).toContainEqual(
      expect.stringMatching(/no recall by class: there are 1001 classes, and they take up to 1000/),
    );
  });

  it('grow with every epoch, each once', () => {
    const folder = temporaryFolder();
    const files = new EventFiles(folder, classes);
    for (let done = 0; done <= epochs.length; done++) files.sync(epochs.slice(0, done));
    files.sync(epochs);
    expect(read(folder).length).toBe(theirs.length);
    expect(readRecords(read(folder)).length).toBe(epochs.length + 1);
  });

  it.each([
    ['was cut within a record', theirs.subarray(0, theirs.length - 5), 5],
    ['lacks epochs', Buffer.concat(readRecords(theirs).slice(0, 3).map(frameRecord)), 3],
    ['has an epoch that the checkpoint has not', theirs, 6],
    ['is empty', Buffer.alloc(0), 0],
    ['is something else', Buffer.from('0123456789abcdef0123456789'), 0],
  ])('of a run that goes on, where the file %s', (_, bytes, kept) => {
    const folder = folderWith(bytes);
    const history = kept === 6 ? epochs.slice(0, 4) : epochs;
    const files = new EventFiles(folder, classes);
    files.sync(history);
    files.sync(epochs);
    const records = readRecords(read(folder));
    expect(records.length).toBe(epochs.length + 1);
    const whole = readRecords(theirs);
    const same = records.filter((record, i) => whole[i] !== undefined && Buffer.compare(record, whole[i]) === 0);
    expect(same.length).toBe(kept === 6 ? 5 : kept);
  });

  it('of other numbers are replaced, and those of arms that are gone removed', () => {
    const folder = folderWith(theirs);
    const [first, ...rest] = epochs.map((record) => ({ ...record, validationLoss: record.validationLoss + 1 }));
    if (!first) throw new Error('no epoch');
    new EventFiles(folder, classes).sync([first, ...rest]);
    expect(read(folder).subarray(40).equals(theirs.subarray(40))).toBe(false);
    new EventFiles(folder, classes).sync([{ ...first, arm: '../out/of it' }]);
    expect(readdirSync(folder).sort()).toEqual(['%2e.%2fout%2fof%20it', ARM].sort());
    expect(readdirSync(join(folder, ARM))).toEqual([]);
  });
});
