import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { augment, inspect, trainGraph } from '../../src/index.ts';
import { buildGraph } from '../../src/ir/build.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import { open } from '../../src/model.ts';
import { checkEdit, editedBytes } from '../../src/onnx/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { inlineFunctions } from '../../src/transform/inline.ts';
import { raiseOpset } from '../../src/transform/raise.ts';
import { floats, modelOf, results } from './oldModels.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lossgraft-inline-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const fixture = (name: string) => join(import.meta.dirname, '../../fixtures/functions', `${name}.onnx`);
const x = floats(6, 4);
const negative: Tensor = { ...x, data: Float32Array.from({ length: 24 }, () => -1) };

async function inlined(name: string) {
  const model = await open(fixture(name));
  try {
    const graph = buildGraph(model.proto);
    const { calls, notes } = inlineFunctions(model, graph);
    const edit = graphEdit(model.proto, graph);
    checkEdit(model.proto, edit);
    return { calls: Object.fromEntries(calls), notes, bytes: editedBytes(model.proto, edit) };
  } finally {
    model.close();
  }
}

describe('inlineFunctions', () => {
  it.each([
    ['nested', { 'custom::Block': 1, 'custom::Linear': 2 }],
    ['bodies', { 'custom::Block': 1, 'custom::Linear': 2, 'custom::Tail': 1, 'custom::Double': 1 }],
    ['overloads', { 'custom::Act': 1, 'custom::Act:tanh': 1 }],
    ['inside', { 'custom::Double': 1 }],
    ['older', { 'custom::Double': 1 }],
  ])('replaces all calls in %s, and what it computes stays the same bit by bit', async (name, expected) => {
    const { calls, notes, bytes } = await inlined(name);
    expect(calls).toEqual(expected);
    const total = Object.values(expected).reduce((sum, n) => sum + n, 0);
    expect(notes).toEqual([expect.stringMatching(`^${total} calls of the model's functions were inlined`)]);
    const { proto } = modelOf(bytes);
    expect(proto.functions).toEqual([]);
    expect(proto.graph.nodes.filter(({ domain }) => domain !== '')).toEqual([]);
    for (const input of [x, negative]) {
      expect(await results(bytes, [input])).toEqual(await results(fixture(name), [input]));
    }
  });

  it('leaves a model without functions alone', async () => {
    const model = modelOf((await inlined('nested')).bytes);
    const graph = buildGraph(model.proto);
    expect(inlineFunctions(model, graph).notes).toEqual([]);
    expect(editedBytes(model.proto, graphEdit(model.proto, graph))).toEqual((await inlined('nested')).bytes);
  });

  it('refuses functions that call themselves, and operators that mean something else at their opset', async () => {
    await expect(inlined('recursive')).rejects.toThrow('(custom::A → custom::B → custom::A)');
    await expect(inlined('changed')).rejects.toThrow(
      '[function custom::Sum] expected operators of ai.onnx that are the same at opset 17, as in the model, found ReduceSum',
    );
  });
});

describe('a classifier whose layers are functions', () => {
  it('has its head found, by inspect, augment and trainGraph', async () => {
    const model = await open(fixture('nested'));
    expect(await inspect(model)).toMatchObject({ functions: 2, features: { shape: ['N', 5] }, classes: 3 });
    const augmented = await augment(model, { loss: 'ib', classCounts: [5, 3, 2] });
    const path = join(scratch, 'nested.onnx');
    await augmented.write(path);
    const labels: Tensor = { dtype: 'int64', dims: [6], data: BigInt64Array.of(0n, 1n, 2n, 0n, 1n, 2n) };
    const { logits, ...losses } = await results(path, [x, labels]);
    expect({ logits }).toEqual(await results(fixture('nested'), [x]));
    expect(Object.keys(losses)).toEqual(['loss', 'loss_per_sample', 'ib_factor']);
    const { report } = await trainGraph(model, { loss: 'ib', trainable: 'all' });
    expect(report.states.map(({ name }) => name)).toEqual(expect.arrayContaining(['w1', 'b1', 'w2']));
    model.close();
  });

  it('is not raised where a body called one', async () => {
    const model = await open(fixture('inside'));
    const older = { ...model, opset: 12, proto: { ...model.proto, opsetImports: new Map([['', 12]]) } };
    const graph = buildGraph(older.proto);
    await expect(raiseOpset(older, graph, 17)).rejects.toThrow('node "if" (If)');
    model.close();
  });
});
