import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open, openData, type ReheadOptions, rehead } from '../../src/index.ts';
import { roundedSlices } from '../../src/newHead/rounded.ts';
import { toNumbers } from '../../src/numbers.ts';
import { dequantise, type Quantisation } from '../../src/quantisation.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { onnx } from '../onnx/models.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { arraysOf } from '../support/networks.ts';

const FOLDER = join(ROOT, 'fixtures/qdq');
const DATA = join(FOLDER, 'data.npz');
/** Of the same float network; see fixtures/qdq/generate.py. */
const FORMS = ['tensor', 'channel', 'operators', 'operators-channel', 'dynamic'] as const;
/** Others, each with a quantised last layer. */
const FURTHER = [
  ...['fused', 'old', 'forms', 'forms-dynamic', 'wide'],
  ...['torch-qat', 'torch-converted', 'brevitas', 'brevitas-4'],
] as const;

async function scoresOf(path: string): Promise<number[][]> {
  const session = await openSession(path, { provider: 'cpu' });
  const { x } = await arraysOf(DATA);
  const { logits } = await session.run({ x: x as Tensor });
  await session.close();
  const classes = logits?.dims[1] ?? 1;
  const all = logits ? toNumbers(logits) : [];
  return Array.from({ length: all.length / classes }, (_, i) => all.slice(i * classes, (i + 1) * classes));
}

/** The file with scores rounded in steps of a twentieth, so that most are cut. */
function narrowed(name: string) {
  const proto = onnx.ModelProto.decode(readFileSync(join(FOLDER, `${name}.onnx`)));
  const last = proto.graph?.node?.findLast(({ opType }) => opType === 'DequantizeLinear');
  const scale = proto.graph?.initializer?.find(({ name: own }) => own === last?.input?.[1]);
  const rounding = scale?.floatData?.[0] ?? Buffer.from(scale?.rawData ?? []).readFloatLE(0);
  const rawData = Buffer.alloc(4);
  rawData.writeFloatLE(rounding / 20);
  Object.assign(scale ?? {}, { rawData, floatData: [] });
  return { proto, rounding };
}

async function changed(name: string, options: ReheadOptions, withData = false) {
  const path = join(temporaryFolder(), 'other.onnx');
  using model = await open(join(FOLDER, `${name}.onnx`));
  const { write, report } = await rehead(model, withData ? await openData(DATA) : undefined, options);
  await write(path);
  return { scores: await scoresOf(path), notes: report.notes.join(), tensors: report.tensors };
}

describe.each([...FORMS, ...FURTHER])('a quantised last layer: %s', (name) => {
  it('keeps the scores of the classes that stay, bit by bit', async () => {
    const before = await scoresOf(join(FOLDER, `${name}.onnx`));
    const { scores, notes } = await changed(name, { keepClasses: ['1', '3'] });
    expect(scores).toEqual(before.map(([, second, , last]) => [second, last]));
    expect(notes).toBe('');
  });

  it('gives scores of 0 to further classes that begin with zeros', async () => {
    const before = await scoresOf(join(FOLDER, `${name}.onnx`));
    const { scores } = await changed(name, { addClasses: ['zebra', 'okapi'] });
    expect(scores).toEqual(before.map((row) => [...row, 0, 0]));
  });
});

describe('class means in exports of training with quantisation in mind', () => {
  it.each(['torch-qat', 'torch-converted', 'brevitas', 'brevitas-4'])('%s: find the classes', async (name) => {
    const { labels } = await arraysOf(DATA);
    const truth = toNumbers(labels as Tensor);
    const { scores } = await changed(name, {}, true);
    const right = scores.filter((row, i) => row.indexOf(Math.max(...row)) === truth[i]);
    expect(right.length).toBeGreaterThan(0.85 * truth.length);
  });
});

describe('class means in integers', () => {
  it('rank the classes as each other form of the same network does', async () => {
    const { labels } = await arraysOf(DATA);
    const truth = toNumbers(labels as Tensor);
    const best = (rows: readonly number[][]): number[] => rows.map((row) => row.indexOf(Math.max(...row)));
    const all = await Promise.all(FORMS.map(async (name) => best((await changed(name, {}, true)).scores)));
    for (const own of all) {
      expect(own.filter((guess, i) => guess === truth[i]).length).toBeGreaterThan(0.85 * truth.length);
      expect(own.filter((guess, i) => guess === all[0]?.[i]).length).toBeGreaterThanOrEqual(0.95 * truth.length);
    }
  });

  it.each(['channel', 'operators'])('%s: scores beyond the range of the old ones widen it', async (name) => {
    const usual = await changed(name, {}, true);
    const { proto, rounding } = narrowed(name);
    expect(rounding).toBeGreaterThan(0);
    const path = join(temporaryFolder(), 'narrow.onnx');
    using model = await open(onnx.ModelProto.encode(proto).finish());
    const { write, report } = await rehead(model, await openData(DATA), {});
    await write(path);
    expect(report.notes.join()).toMatch(
      /rounds the scores become [\d.]+ times as large, since the new rows give larger/,
    );
    const scores = await scoresOf(path);
    for (const [i, row] of scores.entries())
      for (const [k, score] of row.entries())
        expect(Math.abs(score - (usual.scores[i]?.[k] ?? Number.NaN))).toBeLessThan(0.1);
  });

  it('have integers of their own: a row alone has the scores that it has among others', async () => {
    const one = await changed('channel', { headInit: 'random', seed: 4, classes: ['a', 'b', 'c'] });
    const two = await changed('operators-channel', { headInit: 'random', seed: 4, classes: ['a', 'b', 'c'] });
    for (const [i, row] of one.scores.entries())
      for (const [k, score] of row.entries())
        expect(Math.abs(score - (two.scores[i]?.[k] ?? Number.NaN))).toBeLessThan(0.1);
    expect(new Set(one.scores.flat()).size).toBeGreaterThan(10);
  });
});

describe('integers of rows', () => {
  const weight: Tensor = { dtype: 'int8', dims: [2, 3], data: Int8Array.of(100, -50, 0, 10, 64, -100) };
  const channels: Quantisation = {
    scale: { dtype: 'float32', dims: [2], data: Float32Array.of(0.5, 0.25) },
    zeroPoint: undefined,
    axis: 0,
    block: 0,
  };
  const whole: Quantisation = { ...channels, scale: { dtype: 'float32', dims: [], data: Float32Array.of(0.5) } };
  const stored = (how: Quantisation): Parameters<typeof roundedSlices>[0] => ({
    value: undefined as never,
    reader: undefined as never,
    tensor: dequantise(weight, how),
    axis: 0,
    rounding: { integers: weight, how, scale: undefined, zero: undefined },
  });

  it('a scale for each class: new rows fill the span of the old ones, and the others stay', () => {
    const { integers, scale, isRescaled } = roundedSlices(stored(channels), [1, [2, -4, 1], [0, 0, 0]]);
    expect(integers.data).toEqual(Int8Array.of(10, 64, -100, 50, -100, 25, 0, 0, 0));
    expect(Array.from(scale.data, Number)).toEqual([0.25, Math.fround(0.04), 0.375]);
    expect(isRescaled).toBe(false);
  });

  it('a zero point for each class: rows that stay keep theirs', () => {
    const integers: Tensor = { dtype: 'uint8', dims: [2, 2], data: Uint8Array.of(228, 28, 130, 70) };
    const zeroPoint: Tensor = { dtype: 'uint8', dims: [2], data: Uint8Array.of(128, 100) };
    const how = { ...channels, zeroPoint };
    const rounding = { integers, how, scale: undefined, zero: undefined };
    const found = roundedSlices({ ...stored(how), tensor: dequantise(integers, how), rounding }, [1, [1, -1], 0]);
    expect(found.zeroPoint?.data).toEqual(Uint8Array.of(100, 128, 128));
    expect(found.integers.data).toEqual(Uint8Array.of(130, 70, 200, 56, 228, 28));
  });

  it('one scale: it stays while new rows fit', () => {
    const { integers, scale, isRescaled } = roundedSlices(stored(whole), [0, [2, -4, 1]]);
    expect(integers.data).toEqual(Int8Array.of(100, -50, 0, 4, -8, 2));
    expect([scale.dims, scale.data, isRescaled]).toEqual([[], Float32Array.of(0.5), false]);
  });

  it('one scale: it grows where they do not, and rows that stay are rounded anew', () => {
    const { integers, scale, isRescaled } = roundedSlices(stored(whole), [0, [200, 0, 0]]);
    expect(integers.data).toEqual(Int8Array.of(25, -12, 0, 100, 0, 0));
    expect([scale.data, isRescaled]).toEqual([Float32Array.of(2), true]);
  });

  it('one scale, all classes new: it is theirs', () => {
    const { scale, isRescaled } = roundedSlices(stored(whole), [
      [1, 0, 0],
      [0, -0.5, 0],
    ]);
    expect([scale.data, isRescaled]).toEqual([Float32Array.of(0.01), false]);
  });

  it('integers of one sign hold no numbers of the other', () => {
    const integers: Tensor = { dtype: 'uint8', dims: [2, 1], data: Uint8Array.of(3, 9) };
    const zeroPoint: Tensor = { dtype: 'uint8', dims: [], data: Uint8Array.of(0) };
    const how = { ...whole, zeroPoint };
    const layer = {
      ...stored(how),
      tensor: dequantise(integers, how),
      rounding: { integers, how, scale: undefined, zero: undefined },
    };
    expect(() => roundedSlices(layer, [0, [-1]])).toThrow(/zero point at the end of the range, and a new number of -1/);
  });
});
