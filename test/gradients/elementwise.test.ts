import { expect, test } from 'vitest';
import { gradients } from '../../graphs/gradients/index.ts';
import { createEmitter } from '../../src/emit/index.ts';
import { Graph } from '../../src/ir/graph.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import { differentiate } from '../../src/transform/differentiate.ts';
import { gradientCases, runGradientCase } from '../support/gradientCases.ts';
import { addInput, modelBytes } from '../support/scratch.ts';

const COUNT = 400;
const x = Float32Array.from({ length: COUNT }, (_, i) => 1 + (i % 7) / 8);
const dy = Float32Array.from({ length: COUNT }, (_, i) => (i % 5) / 4 - 0.5);

/** Dropout in training mode as ONNX Runtime draws it: y, its mask, and x's gradient in one run. */
async function runDropout(ratio: number, hasMask = true): Promise<{ y: number[]; mask: number[]; dx: number[] }> {
  const graph = new Graph();
  const op = createEmitter(graph, 17);
  const input = addInput(graph, 'x', 'float32', [COUNT]);
  const weight = addInput(graph, 'dy', 'float32', [COUNT]);
  const inputs = [input, op.scalar(ratio, 'float32'), op.scalar(1, 'bool')];
  const y = { dtype: 'float32', shape: [COUNT] } as const;
  const mask = { dtype: 'bool', shape: [COUNT] } as const;
  const outputs = op.callAll('Dropout', inputs, hasMask ? [y, mask] : [y]);
  const [result = input, kept = input] = outputs;
  const loss = op.reduceSum(op.mul(result, weight));
  const constants = new Map([
    [inputs[1], [ratio]],
    [inputs[2], [1]],
  ]);
  const found = differentiate(op, loss, [input], { rules: gradients, constant: (value) => constants.get(value) });
  const dx = found.get(input) ?? input;
  graph.outputs.push(result, kept, dx);
  const session = await openSession(modelBytes(graph, 17), { name: 'dropout' });
  try {
    const results = await session.run({
      x: { dtype: 'float32', dims: [COUNT], data: x },
      dy: { dtype: 'float32', dims: [COUNT], data: dy },
    });
    const numbers = ({ name }: { name: string }) => (results[name] ? toNumbers(results[name]) : []);
    return { y: numbers(result), mask: numbers(kept), dx: numbers(dx) };
  } finally {
    await session.close();
  }
}

test.each([0.25, 0.5, 0.9])(
  'Dropout in training mode passes the gradient where the mask kept x, ratio %s',
  async (ratio) => {
    const { y, mask, dx } = await runDropout(ratio);
    expect(new Set(mask)).toEqual(new Set([0, 1]));
    for (const [i, actual] of dx.entries()) {
      expect(actual).toBeCloseTo(((y[i] ?? Number.NaN) / (x[i] ?? 1)) * (dy[i] ?? 0), 5);
      expect(actual).toBeCloseTo(mask[i] ? (dy[i] ?? 0) / (1 - ratio) : 0, 5);
    }
  },
);

test('Dropout in training mode without a mask is refused by name', async () => {
  await expect(runDropout(0.5, false)).rejects.toMatchObject({ code: 'dropout-mask' });
});

test.each(['elementwise', 'reduction'])('%s: masks instead of Where', async (family) => {
  for (const c of gradientCases(family).filter(({ op }) => op !== 'Where')) {
    expect((await runGradientCase(c)).ops, c.name).not.toContain('Where');
  }
});

test('a constant exponent takes the short form', async () => {
  const constant = gradientCases('elementwise').filter(({ name }) => /^Pow-constant-[-.\d]+$/.test(name));
  expect(constant.length).toBeGreaterThan(5);
  for (const c of constant) {
    const { ops } = await runGradientCase(c);
    expect(['Expand', 'Identity', 'Mul', 'Pow', 'ReduceSum'], c.name).toEqual(expect.arrayContaining(ops));
  }
});
