import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EpochRecord } from '../../src/train/checkpoint.ts';
import { EventFiles } from '../../src/train/tensorboard.ts';
import { frameRecord, maskedCrc32c, readRecords } from '../../src/train/tfrecord.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const FIXTURE = join(ROOT, 'fixtures/tensorboard');
const FILE = 'events.out.tfevents.0.lossgraft';
const ARM = 'ce+inverse';
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
    new EventFiles(folder).sync(epochs);
    expect(read(folder).equals(theirs)).toBe(true);
  });

  it('grow with every epoch, each once', () => {
    const folder = temporaryFolder();
    const files = new EventFiles(folder);
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
    const files = new EventFiles(folder);
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
    new EventFiles(folder).sync([first, ...rest]);
    expect(read(folder).subarray(40).equals(theirs.subarray(40))).toBe(false);
    new EventFiles(folder).sync([{ ...first, arm: '../out/of it' }]);
    expect(readdirSync(folder).sort()).toEqual(['%2e.%2fout%2fof%20it', ARM].sort());
    expect(readdirSync(join(folder, ARM))).toEqual([]);
  });
});
