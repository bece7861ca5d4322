import { describe, expect, test } from 'vitest';
import { gradients } from '../../graphs/gradients/index.ts';
import { createEmitter } from '../../src/emit/index.ts';
import { Graph, type Value } from '../../src/ir/graph.ts';
import { differentiate } from '../../src/transform/differentiate.ts';
import { gradientCases, runGradientCase } from '../support/gradientCases.ts';
import { addInput } from '../support/scratch.ts';

const CASES = gradientCases('attention').filter(({ op }) => op === 'Attention');

describe('the forward pass that a training step runs instead of ONNX Runtime’s kernel gives its values', () => {
  test.each(CASES.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const kernel = await runGradientCase(c, { replacesForward: false });
    const own = await runGradientCase(c, { replacesForward: true });
    expect(kernel.ops).toContain('Attention');
    expect(own.ops).not.toContain('Attention');
    expect(Math.abs(own.loss - kernel.loss)).toBeLessThan(1e-5 * Math.max(1, Math.abs(kernel.loss)));
  });
});

test.each([
  ['past keys and values', 4, 0],
  ['present keys or values', 3, 1],
  ['scores', 3, 3],
])('%s on the way to the loss are refused in one sentence', (found, inputs, output) => {
  const graph = new Graph();
  const op = createEmitter(graph, 23);
  const values = ['q', 'k', 'v', 'm', 'pk', 'pv'].map((name) => addInput(graph, name, 'float32', [1, 2, 3, 4]));
  const given = inputs === 4 ? values : values.slice(0, 3);
  const outputs = op.callAll('Attention', given, new Array(4).fill({ dtype: 'float32', shape: [1, 2, 3, 4] }));
  const loss = op.reduceSum(outputs[output] as Value);
  const differentiated = () =>
    differentiate(op, loss, values.slice(0, 1), { rules: gradients, constant: () => undefined });
  expect(differentiated).toThrow(
    `expected an Attention whose output Y alone is read, without a cache, found ${found} on the way to the loss`,
  );
});
