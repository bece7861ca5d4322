import { describe, expect, it } from 'vitest';
import { float, type int, ints } from '../../src/ir/attributes.ts';
import { buildGraph } from '../../src/ir/build.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import { Graph } from '../../src/ir/graph.ts';
import { blankModel, checkEdit, editedBytes } from '../../src/onnx/index.ts';
import type { GraphInit, NodeInit } from '../../src/onnx/types.ts';
import type { Tensor } from '../../src/tensor.ts';
import { raiseOpset } from '../../src/transform/raise.ts';
import { floats, modelOf, raisedBytes, results } from './oldModels.ts';

function body(
  name: string,
  nodes: readonly NodeInit[],
  output: string,
  initializers: GraphInit['initializers'] = [],
): GraphInit {
  return {
    name,
    nodes,
    initializers,
    inputs: [],
    outputs: [{ name: output, dtype: 'float32', shape: [undefined, undefined, undefined] }],
  };
}

function node(
  opType: string,
  inputs: readonly string[],
  output: string,
  attributes: Record<string, ReturnType<typeof int> | ReturnType<typeof float>> = {},
): NodeInit {
  return { name: output, opType, inputs, outputs: [output], attributes: new Map(Object.entries(attributes)) };
}

/** if (c) { clip(x·2), softmax over rows; in it another If that pads } else { x unsqueezed and squeezed }, plus x, at opset 10. */
function branching(clipped = 'double'): Uint8Array {
  const host = blankModel(10, 'branching');
  const graph = new Graph();
  const x = graph.define('x', 'float32', [2, 3, 4]);
  const condition = graph.define('c', 'bool', []);
  graph.inputs.push(x, condition);
  const two: Tensor = { dtype: 'float32', dims: [], data: Float32Array.of(2) };
  const inner = (name: string, mode: number) =>
    body(name, [node('Pad', ['t_soft'], `${name}_y`, { pads: ints([0, 0, 1 - mode, 0, 0, mode]) })], `${name}_y`);
  const nested: NodeInit = {
    name: 't_if',
    opType: 'If',
    inputs: ['c'],
    outputs: ['t_y'],
    attributes: new Map([
      ['then_branch', { type: 'graph', value: inner('tt', 0) }],
      ['else_branch', { type: 'graph', value: inner('te', 1) }],
    ]),
  };
  const then = body(
    'then',
    [
      node('Mul', ['double', 'two'], 't_x'),
      node('Clip', [clipped], 't_clip', { min: float(-1), max: float(2) }),
      node('Add', ['t_clip', 't_x'], 't_sum'),
      node('Softmax', ['t_sum'], 't_soft'),
      nested,
    ],
    't_y',
    [{ name: 'two', tensor: two }],
  );
  const otherwise = body(
    'else',
    [
      node('Unsqueeze', ['x'], 'e_u', { axes: ints([0]) }),
      node('Squeeze', ['e_u'], 'e_s', { axes: ints([0]) }),
      node('Pad', ['e_s'], 'e_y', { pads: ints([0, 0, 0, 0, 0, 1]) }),
    ],
    'e_y',
  );
  const double = graph.define('double', 'float32', [2, 3, 4]);
  const y = graph.define('y', 'float32', [undefined, undefined, undefined]);
  graph.addNode({ opType: 'Add', name: 'sum', inputs: [x, x], outputs: [double] });
  graph.addNode({
    opType: 'If',
    name: 'if',
    inputs: [condition],
    outputs: [y],
    attributes: new Map([
      ['then_branch', { type: 'graph', value: then }],
      ['else_branch', { type: 'graph', value: otherwise }],
    ]),
  });
  graph.outputs.push(y);
  return editedBytes(host, graphEdit(host, graph));
}

describe('bodies of control flow', () => {
  const feeds = (c: number): Tensor[] => [floats(2, 3, 4), { dtype: 'bool', dims: [], data: Uint8Array.of(c) }];

  it.each([11, 13, 17])('are raised to %i with the nodes round them', async (to) => {
    const bytes = branching();
    const raised = await raisedBytes(modelOf(bytes), to);
    for (const c of [0, 1]) expect(await results(raised, feeds(c))).toEqual(await results(bytes, feeds(c)));
  });

  it('can be raised twice', async () => {
    const bytes = branching();
    const twice = await raisedBytes(modelOf(await raisedBytes(modelOf(bytes), 11)), 17);
    for (const c of [0, 1]) expect(await results(twice, feeds(c))).toEqual(await results(bytes, feeds(c)));
  });

  it('keep their changes when the node that holds them is rewired', async () => {
    const bytes = branching();
    const model = modelOf(bytes);
    const graph = buildGraph(model.proto);
    await raiseOpset(model, graph, 17);
    const condition = graph.value('c');
    const negated = graph.define('negated', 'bool', []);
    const holder = graph.nodes.find(({ opType }) => opType === 'If');
    if (!holder) throw new Error('no If');
    graph.replaceUses(condition, negated);
    holder.inputs = [negated];
    graph.before(holder, () => graph.addNode({ opType: 'Not', name: 'not', inputs: [condition], outputs: [negated] }));
    const edit = graphEdit(model.proto, graph);
    checkEdit(model.proto, edit);
    const rewired = await results(editedBytes(model.proto, edit), feeds(1));
    const { y } = await results(bytes, feeds(0));
    expect(rewired.y).toEqual(y);
  });

  it('refuse what has no known type there', async () => {
    const refused = raisedBytes(modelOf(branching('t_x')), 11);
    await expect(refused).rejects.toThrow(
      '[node "t_clip" (Clip)] expected inputs of a known element type, found "t_x"',
    );
  });
});
