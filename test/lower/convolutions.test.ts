import { describe, expect, it } from 'vitest';
import { blocked, expansions } from '../../graphs/index.ts';
import { COMPOSITE_DOMAIN } from '../../src/contract.ts';
import { createEmitter, int, ints } from '../../src/emit/index.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import { Graph } from '../../src/ir/graph.ts';
import { lower } from '../../src/lower/lower.ts';
import { blankModel, editedBytes } from '../../src/onnx/index.ts';
import { openSession } from '../../src/runtime/session.ts';
import { elementCount, type Tensor } from '../../src/tensor.ts';
import { BLOCK, BLOCKS, needsBlocks } from '../support/blocks.ts';

interface Convolution {
  readonly batch: number;
  readonly channels: number;
  readonly filters: number;
  readonly size: readonly [number, number];
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly pad?: number;
  readonly group?: number;
}

/** Odd batches and channels, strides that leave a rest, planes that are cut into strips. */
const CONVOLUTIONS: readonly Convolution[] = [
  ...[1, 7, 8, 17, 128].map(
    (batch) => ({ batch, channels: 24, filters: 40, size: [6, 5], kernel: 3, pad: 1 }) as const,
  ),
  ...[3, 5, 24, 40].map(
    (channels) => ({ batch: 8, channels, filters: 24, size: [7, 8], kernel: 3, stride: 2, pad: 1 }) as const,
  ),
  { batch: 2, channels: 3, filters: 64, size: [132, 63], kernel: 3, pad: 1 },
  { batch: 2, channels: 4, filters: 64, size: [263, 128], kernel: 7, stride: 2, pad: 3 },
  { batch: 3, channels: 16, filters: 32, size: [9, 12], kernel: 3, stride: 2 },
  { batch: 3, channels: 16, filters: 20, size: [10, 11], kernel: 5, stride: 3, pad: 2 },
  { batch: 2, channels: 12, filters: 20, size: [7, 10], kernel: 1, stride: 2 },
  { batch: 2, channels: 16, filters: 16, size: [10, 9], kernel: 1, stride: 3 },
  { batch: 4, channels: 16, filters: 16, size: [9, 8], kernel: 3, dilation: 2, pad: 2 },
  { batch: 4, channels: 16, filters: 16, size: [12, 13], kernel: 3, stride: 2, dilation: 3, pad: 3 },
  { batch: 3, channels: 40, filters: 40, size: [7, 6], kernel: 3, stride: 2, pad: 1, group: 40 },
];

describe('gradients of a convolution in blocks', needsBlocks, () => {
  it.each(CONVOLUTIONS)('agree with sums in float64: %j', async (convolution) => {
    const { x, w, dy, shapes } = given(convolution);
    const expected = sums(convolution, shapes, x, w, dy);
    const { bytes, ops } = lowered(shapes, convolution, BLOCK);
    const results = await run(bytes, shapes, { x, w, dy });
    expect(ops).not.toContain('ConvTranspose');
    expect(ops).toContain('com.microsoft.nchwc.Conv');
    if (convolution.kernel > 1) expect(ops).not.toContain('Gemm');
    expect(difference(expected.dx, results.dx)).toBeLessThan(1e-5);
    expect(difference(expected.dw, results.dw)).toBeLessThan(1e-5);
  });
});

describe.each(BLOCKS)('in blocks of %i, a convolution and its gradients are', (block) => {
  const count = (convolution: Convolution): number => {
    const { ops } = lowered(shapesOf(convolution), convolution, block);
    return ops.filter((op) => op === 'com.microsoft.nchwc.Conv').length;
  };
  const small: Convolution = { batch: 4, channels: 16, filters: 64, size: [8, 8], kernel: 3, pad: 1 };

  it('a Conv each', () => expect(count(small)).toBe(1 + 1 + 1));

  it('a Conv for each place that a stride leaves', () => expect(count({ ...small, stride: 2 })).toBe(1 + 4 + 1));

  it('strips of planes that are too large for the cache', () => {
    expect(count({ ...small, size: [55, 63] })).toBe(1 + 1 + 1);
    expect(count({ ...small, size: [132, 63] })).toBe(1 + 1 + { 8: 2, 16: 3 }[block]);
  });

  it('parts of large batches, each with fewer images than a block', () => {
    expect(count({ ...small, batch: block - 1 })).toBe(1 + 1 + 1);
    expect(count({ ...small, batch: 40 })).toBe(1 + 1 + { 8: 6, 16: 3 }[block]);
  });
});

interface Shapes {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly dy: readonly number[];
}

function shapesOf(convolution: Convolution): Shapes {
  const { batch, channels, filters, size, kernel, stride = 1, dilation = 1, pad = 0, group = 1 } = convolution;
  const out = size.map((length) => Math.floor((length + 2 * pad - (kernel - 1) * dilation - 1) / stride) + 1);
  return {
    x: [batch, channels, ...size],
    w: [filters, channels / group, kernel, kernel],
    dy: [batch, filters, ...out],
  };
}

function given(convolution: Convolution): { shapes: Shapes } & Data {
  const shapes = shapesOf(convolution);
  return { shapes, x: noise(shapes.x, 1), w: noise(shapes.w, 2), dy: noise(shapes.dy, 3) };
}

type Data = Readonly<Record<keyof Shapes, Float32Array>>;

/** A convolution and both its gradients in blocked forms, and the operators in it. */
function lowered(
  shapes: Shapes,
  { kernel, stride = 1, dilation = 1, pad = 0, group = 1, batch }: Convolution,
  block: number,
): { bytes: Uint8Array; ops: string[] } {
  const graph = new Graph();
  const op = createEmitter(graph, 17);
  const input = (name: keyof Shapes) => {
    const value = graph.define(name, 'float32', shapes[name]);
    graph.inputs.push(value);
    return value;
  };
  const [x, w, dy] = [input('x'), input('w'), input('dy')];
  const attributes = {
    kernel_shape: ints([kernel, kernel]),
    strides: ints([stride, stride]),
    dilations: ints([dilation, dilation]),
    pads: ints([pad, pad, pad, pad]),
    group: int(group),
  };
  const composite = (name: string, inputs: readonly (typeof x)[], shape: readonly number[]) =>
    op.call(name, inputs, { domain: COMPOSITE_DOMAIN, attributes, dtype: 'float32', shape });
  graph.outputs.push(
    op.call('Conv', [x, w], { attributes, shape: shapes.dy }),
    composite('ConvInputGrad', [dy, w, x], shapes.x),
    composite('ConvWeightGrad', [x, dy, w], shapes.w),
  );
  lower(op, { expansions, blocked, constant: () => undefined }, { block, batch });
  const settled = graph.outputs.splice(0);
  for (const [i, name] of ['y', 'dx', 'dw'].entries()) {
    const output = graph.define(name, 'float32', [shapes.dy, shapes.x, shapes.w][i]);
    graph.addNode({ opType: 'Identity', inputs: [settled[i]], outputs: [output] });
    graph.outputs.push(output);
  }
  const model = blankModel(17, 'convolution');
  const ops = graph.nodes.map(({ domain, opType }) => (domain ? `${domain}.${opType}` : opType));
  return { bytes: editedBytes(model, graphEdit(model, graph)), ops };
}

async function run(bytes: Uint8Array, shapes: Shapes, data: Data): Promise<Record<string, Tensor>> {
  const session = await openSession(bytes);
  const feeds = Object.fromEntries(
    Object.entries(data).map(([name, values]) => [
      name,
      { dtype: 'float32', dims: shapes[name as keyof Shapes], data: values } as const,
    ]),
  );
  const results = await session.run(feeds);
  await session.close();
  return results;
}

/** dx and dw by their definition: every product dy·w and dy·x where a window meets an element. */
function sums(
  { group = 1, stride = 1, dilation = 1, pad = 0 }: Convolution,
  { x: [n = 1, c = 1, h = 1, wide = 1], w: [m = 1, per = 1, k = 1], dy: [, , oh = 1, ow = 1] }: Shapes,
  x: Float32Array,
  w: Float32Array,
  dy: Float32Array,
): { dx: Float64Array; dw: Float64Array } {
  const [dx, dw] = [new Float64Array(x.length), new Float64Array(w.length)];
  const perGroup = m / group;
  for (let image = 0; image < n; image++)
    for (let f = 0; f < m; f++)
      for (let from = 0; from < per; from++) {
        const plane = (image * c + Math.floor(f / perGroup) * per + from) * h * wide;
        const filter = (f * per + from) * k * k;
        for (let tap = 0; tap < k * k; tap++) {
          const [i, j] = [Math.floor(tap / k), tap % k];
          for (let a = 0; a < oh; a++) {
            const row = a * stride + i * dilation - pad;
            if (row < 0 || row >= h) continue;
            for (let b = 0; b < ow; b++) {
              const column = b * stride + j * dilation - pad;
              if (column < 0 || column >= wide) continue;
              const [at, g] = [plane + row * wide + column, dy[((image * m + f) * oh + a) * ow + b] ?? 0];
              dx[at] = (dx[at] ?? 0) + g * (w[filter + tap] ?? 0);
              dw[filter + tap] = (dw[filter + tap] ?? 0) + g * (x[at] ?? 0);
            }
          }
        }
      }
  return { dx, dw };
}

/** The largest difference, of what the largest element is. */
function difference(expected: Float64Array, found: Tensor | undefined): number {
  expect(found?.data.length).toBe(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(found?.data[i]))), 0);
  return worst / largest;
}

function noise(dims: readonly number[], seed: number): Float32Array {
  let state = seed * 7919;
  return Float32Array.from({ length: elementCount(dims) }, () => {
    state = (state * 48271) % 2147483647;
    return (state / 2147483647) * 2 - 1;
  });
}
