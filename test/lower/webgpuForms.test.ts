import { describe, expect, it } from 'vitest';
import { expansions, webgpuExpansions } from '../../graphs/index.ts';
import { createEmitter, type Emitter, float, int, ints, string, type Value } from '../../src/emit/index.ts';
import { Graph } from '../../src/ir/graph.ts';
import { adapt } from '../../src/lower/adapt.ts';
import { webgpuForms } from '../../src/lower/webgpu/forms.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { AttributeInit } from '../../src/onnx/types.ts';
import { openSession } from '../../src/runtime/session.ts';
import { elementCount, type Tensor } from '../../src/tensor.ts';
import { gradientCases, runGradientCase, worstRatio } from '../support/gradientCases.ts';
import { addInput, modelBytes } from '../support/scratch.ts';

/*
 * The forms that WebGPU's kernels need compute the same: here on the CPU, against ONNX Runtime's own operator.
 */

type Inputs = Readonly<Record<string, readonly number[]>>;

const OPSET = 18;

const wave = (i: number): number => Math.sin(i * 1.7) * 2;

async function both(inputs: Inputs, write: (op: Emitter, values: readonly Value[]) => Value) {
  const results: (readonly number[])[] = [];
  const ops: string[][] = [];
  for (const isAdapted of [false, true]) {
    const graph = new Graph();
    const op = createEmitter(graph, OPSET);
    const feeds: Record<string, Tensor> = {};
    const values = Object.entries(inputs).map(([name, dims]) => {
      feeds[name] = {
        dtype: 'float32',
        dims,
        data: Float32Array.from({ length: elementCount(dims) }, (_, i) => wave(i)),
      };
      return addInput(graph, name, 'float32', dims);
    });
    graph.outputs.push(write(op, values));
    if (isAdapted) adapt(op, webgpuForms);
    ops.push(graph.nodes.map(({ opType }) => opType));
    const session = await openSession(modelBytes(graph, OPSET));
    const [output] = Object.values(await session.run(feeds));
    await session.close();
    results.push(output ? toNumbers(output) : []);
  }
  const [expected = [], found = []] = results;
  const [before = [], after = []] = ops;
  return { expected, found, before, after };
}

const x = { x: [2, 3, 4] };

function unreduced(op: Emitter, opType: string, v: Value | undefined): Value {
  return op.call(opType, [v], { attributes: { noop_with_empty_axes: int(1) } });
}

describe('a form for WebGPU', () => {
  it.each<[string, Inputs, (op: Emitter, values: readonly Value[]) => Value]>([
    ['Sign', x, (op, [v]) => op.sign(v as Value)],
    ['Size', x, (op, [v]) => op.cast(op.call('Size', [v], { dtype: 'int64' }), 'float32')],
    ['Sum', { a: [2, 3], b: [3], c: [2, 1] }, (op, values) => op.call('Sum', values)],
    ['Mean', { a: [2, 3], b: [3] }, (op, values) => op.call('Mean', values)],
    ['IsNaN', x, (op, [v]) => op.cast(op.call('IsNaN', [op.log(v as Value)], { dtype: 'bool' }), 'float32')],
    ['LogSoftmax', x, (op, [v]) => op.logSoftmax(v as Value, 1)],
    ['ReduceLogSumExp', x, (op, [v]) => op.call('ReduceLogSumExp', [v])],
    ['ReduceSumSquare', x, (op, [v]) => unreduced(op, 'ReduceSumSquare', v)],
    ['ReduceL2', x, (op, [v]) => unreduced(op, 'ReduceL2', v)],
    ['Celu', x, (op, [v]) => op.call('Celu', [v], { attributes: { alpha: float(0.75) } })],
    ['Selu', x, (op, [v]) => op.call('Selu', [v])],
    ['Softsign', x, (op, [v]) => op.call('Softsign', [v])],
    ['Shrink', x, (op, [v]) => op.call('Shrink', [v], { attributes: { lambd: float(0.5), bias: float(0.25) } })],
    ['Round', x, (op, [v]) => op.call('Round', [op.mul(op.call('Round', [op.mul(v as Value, 2)]), 0.5)])],
    ['Dropout', x, (op, [v]) => op.call('Dropout', [v])],
    ['Pow', { a: [2, 1, 4], b: [3, 1] }, (op, [a, b]) => op.pow(op.abs(a as Value), b as Value)],
    ['LRN', { x: [2, 5, 3, 3] }, (op, [v]) => op.call('LRN', [v], { attributes: { size: int(3), bias: float(2) } })],
    ['GlobalLpPool', { x: [2, 3, 4, 4] }, (op, [v]) => op.call('GlobalLpPool', [v], { attributes: { p: int(3) } })],
    ['MeanVarianceNormalization', { x: [2, 3, 4, 4] }, (op, [v]) => op.call('MeanVarianceNormalization', [v])],
    [
      'InstanceNormalization',
      { x: [2, 3, 4, 4], scale: [3], shift: [3] },
      (op, values) => op.call('InstanceNormalization', values, { attributes: { epsilon: float(0.1) } }),
    ],
    [
      'BatchNormalization',
      { x: [5, 4], scale: [4], shift: [4], mean: [4], variance: [4] },
      (op, [v, s, b, m, s2]) => op.call('BatchNormalization', [v, s, b, m, op.abs(s2 as Value)]),
    ],
    [
      'SpaceToDepth',
      { x: [2, 3, 4, 6] },
      (op, [v]) => op.call('SpaceToDepth', [v], { attributes: { blocksize: int(2) } }),
    ],
    [
      'Conv',
      { x: [1, 4, 3, 4, 5], w: [6, 2, 2, 2, 3], b: [6] },
      (op, values) => op.call('Conv', values, { attributes: { group: int(2), kernel_shape: ints([2, 2, 3]) } }),
    ],
    [
      'ConvTranspose',
      { x: [1, 4, 3, 2, 3], w: [4, 3, 3, 2, 3], b: [6] },
      (op, values) =>
        op.call('ConvTranspose', values, {
          attributes: {
            group: int(2),
            strides: ints([2, 1, 3]),
            kernel_shape: ints([3, 2, 3]),
            pads: ints([1, 0, 1, 0, 0, 1]),
          },
        }),
    ],
    [
      'RNN',
      { x: [4, 2, 3], w: [1, 5, 3], r: [1, 5, 5] },
      (op, values) => op.call('RNN', values, { attributes: { hidden_size: int(5), direction: string('reverse') } }),
    ],
    [
      'RNN',
      { x: [4, 2, 3], w: [2, 5, 3], r: [2, 5, 5], b: [2, 10], h: [2, 2, 5] },
      (op, [x, w, r, b, h]) => {
        const activations: AttributeInit = { type: 'strings', value: ['Relu', 'Sigmoid'] };
        const attributes = { hidden_size: int(5), direction: string('bidirectional'), activations };
        const like = { dtype: 'float32' } as const;
        const [y, last] = op.callAll('RNN', [x, w, r, b, undefined, h], [like, like], { attributes });
        return op.add(y as Value, last as Value);
      },
    ],
  ])('of %s', async (name, inputs, write) => {
    const { expected, found, before, after } = await both(inputs, write);
    expect(before).toContain(name);
    if (name !== 'Pow' && name !== 'Conv') expect(after).not.toContain(name);
    expect(after).not.toEqual(before);
    expect(found).toHaveLength(expected.length);
    expect(expected.some((value) => value !== 0 && Number.isFinite(value)) || name === 'IsNaN').toBe(true);
    for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 4);
  });

  it.each(gradientCases('pool').filter(({ op, name }) => op === 'MaxPool' && !/column-major/.test(name)))(
    "of MaxPool's gradient is PyTorch's: $name",
    async (c) => {
      const { grads, ops } = await runGradientCase(c, { target: 'webgpu' });
      expect(ops).not.toContain('ScatterElements');
      for (const [name, expected] of Object.entries(c.grads)) {
        expect(worstRatio(grads[name] ?? [], expected, c.rtol ?? 1e-5, c.atol ?? 1e-7)).toBeLessThanOrEqual(1);
      }
    },
  );

  it.each(
    gradientCases('recurrent').filter(({ name }) =>
      /lstm-forward$|gru-reverse|rnn-bidirectional|lstm-bidirectional$/.test(name),
    ),
  )("of a loop is written out, and PyTorch's: $name", async (c) => {
    const { grads, ops } = await runGradientCase(c, { target: 'webgpu', replacesForward: true });
    expect(ops).not.toContain('Scan');
    for (const [name, expected] of Object.entries(c.grads)) {
      expect(worstRatio(grads[name] ?? [], expected, c.rtol ?? 1e-5, c.atol ?? 1e-7)).toBeLessThanOrEqual(1);
    }
  });

  it.each([0.9, 0.999, 0.99999])('of 1 − βᵗ keeps its digits: β = %s', async (beta) => {
    const steps = [1, 2, 3, 50, 119, 121, 1000, 20_000];
    for (const [forms, digits] of [
      [expansions, 1e-7],
      [webgpuExpansions, 5e-7],
    ] as const) {
      const graph = new Graph();
      const op = createEmitter(graph, 17);
      const t = addInput(graph, 't', 'float32', [steps.length]);
      const attributes = { base: { type: 'string', value: String(beta) } as const };
      const node = graph.addNode({
        opType: 'OneMinusPower',
        inputs: [t],
        outputs: [],
        attributes: new Map(Object.entries(attributes)),
      });
      const [value] = forms.OneMinusPower?.({ op, node, input: () => t, outputs: [] }) ?? [];
      graph.remove(node);
      if (value) graph.outputs.push(value);
      const session = await openSession(modelBytes(graph, 17));
      const feeds = { t: { dtype: 'float32', dims: [steps.length], data: Float32Array.from(steps) } } as const;
      const [found] = Object.values(await session.run(feeds));
      await session.close();
      for (const [i, step] of steps.entries()) {
        const expected = 1 - beta ** step;
        expect(Math.abs(Number(found?.data[i]) - expected) / expected).toBeLessThan(digits);
      }
    }
  });
});
