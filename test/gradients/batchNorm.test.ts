import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { expansions } from '../../graphs/expansions/index.ts';
import { gradients } from '../../graphs/gradients/index.ts';
import { COMPOSITE_DOMAIN } from '../../src/contract.ts';
import { createEmitter, float } from '../../src/emit/index.ts';
import { Graph } from '../../src/ir/graph.ts';
import { expand } from '../../src/lower/expand.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Dim, Tensor } from '../../src/tensor.ts';
import { differentiate } from '../../src/transform/differentiate.ts';
import { prune } from '../../src/transform/prune.ts';
import { type GradientCase, worstRatio } from '../support/gradientCases.ts';
import { addInput, modelBytes } from '../support/scratch.ts';

type TrainCase = GradientCase & { readonly outputs: readonly GradientCase['grads'][string][] };

const FILE = new URL('../../fixtures/gradients/composites/batchNormTrain.json', import.meta.url);
const CASES: readonly TrainCase[] = JSON.parse(readFileSync(FILE, 'utf8')).cases;
const SHAPES: Readonly<Record<string, (name: string, dims: readonly number[]) => readonly Dim[]>> = {
  static: (_, dims) => dims,
  'symbolic batch': (name, dims) => (name === 'x' ? ['N', ...dims.slice(1)] : dims),
  symbolic: (name, dims) => dims.map((_, i) => `${name}_${i}`),
};

/** Outputs y, next mean and variance, then the gradients of x, scale and bias, of Σ y·dy. */
async function run(c: TrainCase, shapeOf: (name: string, dims: readonly number[]) => readonly Dim[]) {
  const graph = new Graph();
  const op = createEmitter(graph, c.opset);
  const feeds: Record<string, Tensor> = {};
  const feed = (name: string, { dims, data }: TrainCase['outputs'][number], shape = shapeOf(name, dims)) => {
    feeds[name] = { dtype: 'float32', dims, data: Float32Array.from(data, Number) };
    return addInput(graph, name, 'float32', shape);
  };
  const inputs = c.inputs.flatMap((input) => (input ? [feed(input.name, input)] : []));
  const [x, scale] = inputs;
  const [dy] = c.dy;
  if (!x || !scale || !dy) throw new Error('an incomplete case');
  const like = [x, scale, scale, scale, scale].map(({ dtype, shape }) => ({ dtype, shape }));
  const attributes = Object.fromEntries(
    Object.entries(c.attributes ?? {}).map(([name, { value }]) => [name, float(Number(value))]),
  );
  const [y = x, mean = x, variance = x] = op.callAll('BatchNormTrain', inputs, like, {
    domain: COMPOSITE_DOMAIN,
    attributes,
  });
  const loss = op.reduceSum(op.mul(y, feed('dy', dy, x.shape)));
  const wrt = inputs.slice(0, 3);
  const found = differentiate(op, loss, wrt, { rules: gradients, constant: () => undefined });
  graph.outputs.push(y, mean, variance, ...wrt.map((value) => found.get(value) ?? value));
  expand(op, expansions);
  prune(graph);
  const session = await openSession(modelBytes(graph, c.opset), { name: c.name });
  const results = await session.run(feeds);
  await session.close();
  const domains = new Set(graph.nodes.map((node) => node.domain));
  const values = graph.outputs.map(({ name }) => {
    const tensor = results[name];
    return tensor ? toNumbers(tensor) : [];
  });
  return { values, domains };
}

describe.each(Object.keys(SHAPES))('batch normalization in training, %s shapes', (kind) => {
  test.each(CASES.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    const { values, domains } = await run(c, SHAPES[kind] ?? (() => []));
    const expected = [...c.outputs, ...['x', 'scale', 'bias'].flatMap((name) => c.grads[name] ?? [])];
    const names = ['y', 'mean.next', 'var.next', 'x.grad', 'scale.grad', 'bias.grad'];
    for (const [i, tensor] of expected.entries()) {
      expect(
        worstRatio(values[i] ?? [], tensor, 1e-5, 1e-6),
        `${names[i]}: ${values[i]} for ${tensor.data}`,
      ).toBeLessThanOrEqual(1);
    }
    expect([...domains]).toEqual(['']);
  });
});

test('one value per channel is refused, as PyTorch refuses it', () => {
  const graph = new Graph();
  const op = createEmitter(graph, 17);
  const x = addInput(graph, 'x', 'float32', [1, 3]);
  const vectors = ['scale', 'bias', 'mean', 'var'].map((name) => addInput(graph, name, 'float32', [3]));
  op.callAll('BatchNormTrain', [x, ...vectors], [{}, {}, {}, {}, {}], { domain: COMPOSITE_DOMAIN });
  expect(() => expand(op, expansions)).toThrow(/more than one value per channel in training, found 1/);
});
