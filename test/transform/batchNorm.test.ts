import { describe, expect, it } from 'vitest';
import { expansions } from '../../graphs/expansions/index.ts';
import { createEmitter } from '../../src/emit/index.ts';
import { float, int } from '../../src/ir/attributes.ts';
import { buildGraph } from '../../src/ir/build.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { expand } from '../../src/lower/expand.ts';
import type { Model } from '../../src/model.ts';
import { toNumbers } from '../../src/numbers.ts';
import { checkEdit, editedBytes } from '../../src/onnx/index.ts';
import { inferTypes } from '../../src/runtime/oracle/oracle.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { batchNorm } from '../../src/transform/batchNorm.ts';
import { raiseOpset } from '../../src/transform/raise.ts';
import { floats, modelOf, type OldModel, oldBytes, results } from './oldModels.ts';

const MOMENTUM = 0.7;
const x = floats(4, 3, 2, 5);
const positive = (tensor: Tensor): Tensor => ({
  ...tensor,
  data: Float32Array.from(toNumbers(tensor), (v) => Math.abs(v) + 0.5),
});
const constants = [positive(floats(3)), floats(3), floats(3), positive(floats(3))];
const epsilon = float(1e-3);

const trained: OldModel = {
  op: 'BatchNormalization',
  opset: 17,
  attributes: { epsilon, momentum: float(MOMENTUM), training_mode: int(1) },
  inputs: [x],
  constants,
  outputs: 3,
};
const frozen: OldModel = { ...trained, attributes: { epsilon }, outputs: 1 };

async function prepared(old: OldModel): Promise<{ model: Model; graph: Graph }> {
  const model = modelOf(await oldBytes(old, true));
  const graph = buildGraph(model.proto);
  await raiseOpset(model, graph, 17);
  await inferTypes(model.proto, graph);
  return { model, graph };
}

function bytesOf({ model, graph }: { model: Model; graph: Graph }): Uint8Array {
  const edit = graphEdit(model.proto, graph);
  checkEdit(model.proto, edit);
  return editedBytes(model.proto, edit);
}

async function run(bytes: Uint8Array): Promise<Record<string, number[]>> {
  const session = await openSession(bytes);
  const found = await session.run({ x0: x });
  await session.close();
  return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, toNumbers(tensor)]));
}

function expectNear(actual: readonly number[] | undefined, expected: readonly number[] | undefined): void {
  expect(actual).toHaveLength(expected?.length ?? -1);
  for (const [i, value] of (expected ?? []).entries()) expect(actual?.[i]).toBeCloseTo(value, 5);
}

describe('batchNorm frozen', () => {
  it.each([17, 14])('makes a training export of opset %i an inference one', async (opset) => {
    const { model, graph } = await prepared({ ...trained, opset, listed: 1 });
    const { statistics, notes } = batchNorm(graph, 'frozen');
    expect(statistics).toEqual([]);
    expect(notes).toEqual(['1 BatchNormalization nodes of a training export use their running statistics (frozen)']);
    expect(await results(bytesOf({ model, graph }), [x])).toEqual(await results(await oldBytes(frozen, true), [x]));
  });

  it('leaves an inference export byte for byte', async () => {
    const { model, graph } = await prepared(frozen);
    expect(batchNorm(graph, 'frozen')).toEqual({ statistics: [], notes: [] });
    expect(bytesOf({ model, graph })).toEqual(await oldBytes(frozen, true));
  });
});

describe('batchNorm train', () => {
  const cases: readonly (readonly [string, OldModel])[] = [
    ['a training export', { ...trained, listed: 1 }],
    ['an inference export', { ...frozen, attributes: { epsilon, momentum: float(MOMENTUM) } }],
  ];

  it.each(cases)('makes %s normalise by the batch and move the statistics as PyTorch does', async (_, old) => {
    const { model, graph } = await prepared(old);
    const { statistics, notes } = batchNorm(graph, 'train');
    expect(notes).toEqual(['1 BatchNormalization nodes use the statistics of the batch and update the running ones']);
    expect(statistics.map(({ current }) => current.name)).toEqual(['c2', 'c3']);
    const op = createEmitter(graph, 17);
    for (const [i, { next }] of statistics.entries()) {
      const output = graph.define(`next${i}`, 'float32', [3]);
      graph.addNode({ opType: 'Identity', inputs: [next], outputs: [output] });
      graph.outputs.push(output);
    }
    expand(op, expansions);
    const ours = await run(bytesOf({ model, graph }));
    const theirs = await run(await oldBytes(trained, true));
    const y = Object.entries(ours).find(([name]) => !name.startsWith('next'))?.[1];
    expectNear(y, theirs.y0);
    expectNear(ours.next0, theirs.y1);
    // ONNX moves the running variance by the biased one of the batch, PyTorch by n/(n − 1) times that, here n = 4·2·5.
    const running = toNumbers(constants[3] as Tensor);
    const unbiased = theirs.y2?.map((next, i) => {
      const kept = MOMENTUM * (running[i] ?? 0);
      return kept + ((next - kept) * 40) / 39;
    });
    expectNear(ours.next1, unbiased);
  });

  it('types stay known round the composite', async () => {
    const { model, graph } = await prepared({ ...trained, listed: 1 });
    batchNorm(graph, 'train');
    const [y] = graph.outputs;
    const relu = graph.define('relu');
    graph.addNode({ opType: 'Relu', inputs: [y], outputs: [relu] });
    await inferTypes(model.proto, graph);
    expect(relu).toMatchObject({ dtype: 'float32', shape: { length: 4 } });
  });

  it('reads the five outputs of old training exports, whose names of saved statistics go', async () => {
    const { bytes, model } = await fiveOutputs();
    const graph = buildGraph(model.proto);
    await raiseOpset(model, graph, 17);
    expect(graph.values.has('y4')).toBe(false);
    const { statistics } = batchNorm(graph, 'train');
    expect(statistics.map(({ current }) => current.name)).toEqual(['c2', 'c3']);
    expect(bytes.length).toBeGreaterThan(0);
  });

  it('says so where there is none', async () => {
    const { graph } = await prepared({ op: 'Relu', opset: 17, inputs: [x] });
    expect(batchNorm(graph, 'train').notes[0]).toMatch(
      /this model has no BatchNormalization: an export for inference folds it/,
    );
  });
});

/** The form of opset 9 that PyTorch wrote in training mode; no runtime runs it, so it is written without outputs' types. */
async function fiveOutputs(): Promise<{ bytes: Uint8Array; model: Model }> {
  const old: OldModel = { ...frozen, opset: 9, attributes: { epsilon, momentum: float(MOMENTUM) } };
  const host = modelOf(await oldBytes(old, false));
  const graph = buildGraph(host.proto);
  const [node] = graph.nodes;
  if (!node) throw new Error('no node');
  const more = [1, 2, 3, 4].map((i) => graph.define(`y${i}`));
  for (const value of more) value.producer = node;
  node.outputs = [...node.outputs, ...more];
  const bytes = editedBytes(host.proto, graphEdit(host.proto, graph));
  return { bytes, model: modelOf(bytes) };
}

describe('batchNorm refuses by name', () => {
  it('results of training mode that something reads', async () => {
    const { graph } = await prepared(trained);
    expect(() => batchNorm(graph, 'frozen')).toThrow('found readers of "y1"');
  });

  it('statistics that two layers share', async () => {
    const { graph } = await prepared(frozen);
    const inputs = graph.nodes[0]?.inputs ?? [];
    const other = graph.define('other');
    graph.addNode({ opType: 'BatchNormalization', name: 'second', inputs, outputs: [other] });
    expect(() => batchNorm(graph, 'train')).toThrow('"c2", which node "second" (BatchNormalization) reads too');
  });

  it('statistics that are computed', async () => {
    const { graph } = await prepared(frozen);
    const [node] = graph.nodes;
    const mean = graph.value('c2');
    const moved = graph.define('moved');
    graph.addNode({ opType: 'Neg', name: 'neg', inputs: [mean], outputs: [moved] });
    if (node) node.inputs = node.inputs.map((input) => (input === mean ? moved : input));
    expect(() => batchNorm(graph, 'train')).toThrow('"moved" computed by node "neg" (Neg)');
  });
});
