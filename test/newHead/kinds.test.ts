import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromTensors, open, type ReheadOptions, rehead } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import { isText, type Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { readOnnx } from '../support/onnxFile.ts';

const FOLDER = join(ROOT, 'fixtures/newHead');

type Outputs = Readonly<Record<string, readonly unknown[]>>;

interface Case {
  readonly x: { readonly dims: readonly number[]; readonly data: readonly number[] };
  readonly before: Outputs;
  readonly kept: Outputs;
  readonly added: Outputs;
  readonly mixed: Outputs;
  readonly metadata: Readonly<Record<string, string>>;
}

/** See fixtures/newHead/generate.py: the same model built with other rows, run by onnx.reference. */
const { cases, names, refused } = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as {
  readonly cases: Readonly<Record<string, Case>>;
  readonly names: readonly string[];
  readonly refused: readonly string[];
};

/** Whether a kind's file says what its classes are called. */
const NAMED: ReadonlySet<string> = new Set(['label_table', 'label_encoder', 'metadata']);

function called(kind: string, classes: readonly number[]): string[] {
  return classes.map((k) => (NAMED.has(kind) ? (names[k] ?? '') : String(k)));
}

async function changed(kind: string, options: ReheadOptions): Promise<{ path: string; notes: readonly string[] }> {
  const path = join(temporaryFolder(), 'other.onnx');
  using model = await open(join(FOLDER, `${kind}.onnx`));
  const { write, report } = await rehead(model, undefined, { headInit: 'zeros', ...options });
  await write(path);
  return { path, notes: report.notes };
}

async function outputsOf(path: string, { x }: Case): Promise<Outputs> {
  const session = await openSession(path, { provider: 'cpu' });
  const feed: Tensor = { dtype: 'float32', dims: x.dims, data: Float32Array.from(x.data) };
  const results = await session.run({ x: feed });
  await session.close();
  return Object.fromEntries(
    Object.entries(results).map(([name, tensor]) => [name, isText(tensor.data) ? [...tensor.data] : toNumbers(tensor)]),
  );
}

function expectSame(found: Outputs, expected: Outputs): void {
  expect(Object.keys(found).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(expected)) {
    const wanted = values.flat(Number.POSITIVE_INFINITY);
    const got = found[name] ?? [];
    expect(got).toHaveLength(wanted.length);
    for (const [i, value] of wanted.entries()) {
      if (typeof value === 'number') expect(got[i], `${name}[${i}]`).toBeCloseTo(value, 5);
      else expect(got[i]).toBe(value);
    }
  }
}

describe.each(Object.entries(cases))('a last layer of the kind %s', (kind, expected) => {
  it('gives what the fixture says with its own classes', async () => {
    expectSame(await outputsOf(join(FOLDER, `${kind}.onnx`), expected), expected.before);
  });

  it('loses the classes that do not stay', async () => {
    const { path } = await changed(kind, { keepClasses: called(kind, [1, 3]) });
    expectSame(await outputsOf(path, expected), expected.kept);
    const { metadata } = readOnnx(readFileSync(path));
    const { lossgraft: _, ...others } = metadata;
    expect(others).toEqual(expected.metadata);
  });

  it('gets further classes', async () => {
    const { path } = await changed(kind, { addClasses: ['fox', 'gnu'] });
    expectSame(await outputsOf(path, expected), expected.added);
  });

  it('loses some and gets others at once', async () => {
    const { path } = await changed(kind, { keepClasses: called(kind, [3, 1]), addClasses: ['fox'] });
    expectSame(await outputsOf(path, expected), expected.mixed);
  });

  it('gets a new last layer of any number of classes', async () => {
    const { path } = await changed(kind, { classes: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] });
    const found = await outputsOf(path, expected);
    expect(found.y).toHaveLength(7 * (expected.x.dims[0] ?? 0));
    expect(new Set(found.y).size).toBe(1);
  });

  it('declares its outputs as they are', async () => {
    const { path } = await changed(kind, { keepClasses: called(kind, [1, 3]) });
    const { outputs } = readOnnx(readFileSync(path));
    expect(outputs.y).toMatch(/^(float32|10) \[N, 2\]$/);
  });
});

describe('class means', () => {
  /** Samples of three classes, and pictures whose every pixel has the same numbers. */
  const features = Float32Array.from({ length: 48 }, (_, i) => Math.sin(7 * i) + ((i >> 2) % 3) * (i % 4));
  const labels: Tensor = {
    dtype: 'int64',
    dims: [12],
    data: BigInt64Array.from({ length: 12 }, (_, i) => BigInt(i % 3)),
  };
  const rows: Tensor = { dtype: 'float32', dims: [12, 4], data: features };
  const pictures: Tensor = {
    dtype: 'float32',
    dims: [12, 4, 2, 2],
    data: Float32Array.from({ length: 192 }, (_, i) => features[i >> 2] ?? 0),
  };

  async function scoresOf(kind: string, x: Tensor): Promise<readonly number[]> {
    const path = join(temporaryFolder(), 'means.onnx');
    using model = await open(join(FOLDER, `${kind}.onnx`));
    const { write } = await rehead(model, fromTensors({ x, labels }));
    await write(path);
    const session = await openSession(path, { provider: 'cpu' });
    const { y } = await session.run({ x });
    await session.close();
    return y ? toNumbers(y) : [];
  }

  it.each([
    ...['gemm_trans_b', 'gemm_trans_a', 'gemm_scaled', 'matmul_add', 'matmul_transposed', 'constant_nodes', 'old_ir'],
    ...['conv_flatten', 'conv_whole', 'joined_shape', 'half'],
  ])('give the same scores whatever the kind of the layer: %s', async (kind) => {
    const isConv = kind.startsWith('conv') || kind.startsWith('joined');
    const [found, expected] = [await scoresOf(kind, isConv ? pictures : rows), await scoresOf('gemm', rows)];
    expect(expected.some((score) => Math.abs(score) > 1)).toBe(true);
    expect(found).toHaveLength(expected.length);
    const digits = kind === 'half' ? 1 : 4;
    for (const [i, score] of found.entries()) expect(score).toBeCloseTo(expected[i] ?? Number.NaN, digits);
  });
});

describe('a head that cannot be followed', () => {
  it.each([
    ['scaled_by_class', 'head-not-followed', 'node "Mul_y" (Mul)'],
    ['normalised_by_class', 'head-not-followed', 'node "BatchNormalization_y" (BatchNormalization)'],
    ['sliced', 'head-not-followed', 'node "Slice_y" (Slice)'],
    ['gathered', 'head-not-followed', 'node "Gather_y" (Gather)'],
    ['best_of_three', 'head-not-followed', 'node "TopK_best" (TopK)'],
    ['joined', 'head-not-followed', 'node "Concat_y" (Concat)'],
  ])('is refused with the name of the node: %s', async (kind, code, where) => {
    using model = await open(join(FOLDER, `${kind}.onnx`));
    await expect(rehead(model, undefined, { classes: ['a', 'b'] })).rejects.toMatchObject({
      code,
      problem: { where },
    });
  });

  it.each([
    ['quantised_in_blocks', 'quantised weights (node "DequantizeLinear_w" (DequantizeLinear))'],
    ['computed', 'node "Gemm_y" (Gemm), whose weight "w2" comes from node "Mul_w2" (Mul)'],
  ])('is refused where its weights are not in the file: %s', async (kind, found) => {
    using model = await open(join(FOLDER, `${kind}.onnx`));
    await expect(rehead(model, undefined, { classes: ['a', 'b'] })).rejects.toMatchObject({
      code: 'no-linear-head',
      problem: { found },
    });
  });

  it('covers every refused fixture', () => {
    expect(refused).toHaveLength(8);
  });
});
