import { describe, expect, it } from 'vitest';
import { fromBytes } from '../../src/files/bytes.ts';
import { buildGraph } from '../../src/ir/build.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import { Graph, type Value } from '../../src/ir/graph.ts';
import { scan } from '../../src/onnx/index.ts';
import { onnx } from '../onnx/models.ts';

/** x → a → b → c, each by an Identity. */
function chain(): { graph: Graph; values: readonly [Value, Value, Value, Value] } {
  const graph = new Graph();
  const x = graph.define('x', 'float32', [1]);
  graph.inputs.push(x);
  const add = (name: string, input: Value): Value => {
    const output = graph.define(name, 'float32', [1]);
    graph.addNode({ opType: 'Identity', name, inputs: [input], outputs: [output] });
    return output;
  };
  const a = add('a', x);
  const b = add('b', a);
  const c = add('c', b);
  graph.outputs.push(c);
  return { graph, values: [x, a, b, c] };
}

const names = (graph: Graph): string[] => graph.nodes.map(({ name }) => name);

describe('a place to write', () => {
  it('is before a node, after it, before all, and at the end', () => {
    const { graph, values } = chain();
    const [x, , b] = values;
    const producer = b.producer;
    if (!producer) throw new Error('no node');
    const walked: string[] = [];
    for (const { name } of graph.nodes) {
      walked.push(name);
      if (name !== 'b') continue;
      graph.before(producer, () => graph.addNode({ opType: 'Neg', name: 'before', inputs: [x], outputs: [] }));
      graph.after(producer, () => {
        graph.addNode({ opType: 'Neg', name: 'after', inputs: [x], outputs: [] });
        graph.addNode({ opType: 'Neg', name: 'after that', inputs: [x], outputs: [] });
      });
    }
    graph.after(undefined, () => graph.addNode({ opType: 'Neg', name: 'first', inputs: [x], outputs: [] }));
    graph.addNode({ opType: 'Neg', name: 'last', inputs: [x], outputs: [] });
    expect(walked).toEqual(['a', 'b', 'c']);
    expect(names(graph)).toEqual(['first', 'a', 'before', 'b', 'after', 'after that', 'c', 'last']);
  });

  it('is a node’s place, and what both give stays', () => {
    const { graph, values } = chain();
    const [x, a, b] = values;
    if (!b.producer) throw new Error('no node');
    const made = graph.replaceNode(b.producer, { opType: 'Neg', inputs: [x], outputs: [b] });
    expect(names(graph)).toEqual(['a', 'b', 'c']);
    expect([made.name, b.producer, a.uses.size, graph.value('b')]).toEqual(['b', made, 0, b]);
    graph.remove(made);
    expect([names(graph), graph.values.has('b')]).toEqual([['a', 'c'], false]);
  });
});

describe('a copy of a graph', () => {
  const file = fromBytes(
    onnx.ModelProto.encode({
      irVersion: 8,
      opsetImport: [{ domain: '', version: 17 }],
      graph: {
        name: 'g',
        node: [
          { opType: 'Relu', name: 'relu', input: ['x'], output: ['r'] },
          { opType: 'Add', name: 'add', input: ['r', 'w'], output: ['y'] },
        ],
        initializer: [{ name: 'w', dataType: 1, dims: [2], floatData: [1, 2] }],
        input: [{ name: 'x', type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 2 }] } } } }],
        output: [{ name: 'y', type: { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 2 }] } } } }],
      },
    }).finish(),
    'model.onnx',
  );

  it('is the same, and goes on by itself', () => {
    const proto = scan(file);
    const graph = buildGraph(proto);
    const { graph: copy, copies } = graph.clone();
    expect(graphEdit(proto, copy)).toEqual(graphEdit(proto, graph));
    expect(copy.freshName('n')).toBe(graph.freshName('n'));
    const y = copy.value('y');
    expect(copies.get(graph.value('y'))).toBe(y);
    expect(y.producer).toBe(copy.nodes[1]);
    expect([...copy.value('r').uses]).toEqual([copy.nodes[1]]);
    for (const node of copy.nodes) copy.remove(node);
    expect(copy.values.has('r')).toBe(false);
    expect(names(graph)).toEqual(['relu', 'add']);
    expect(graph.value('r').uses.size).toBe(1);
  });

  it('takes a node changed in places, without the encoding that it had in the file', () => {
    const graph = buildGraph(scan(file));
    const [relu] = graph.nodes;
    if (!relu) throw new Error('no node');
    const made = graph.replaceNode(relu, { ...relu, opType: 'Neg', inputs: relu.inputs, outputs: relu.outputs });
    expect([relu.proto?.opType, made.proto, made.name, made.opType]).toEqual(['Relu', undefined, 'relu', 'Neg']);
  });

  it('is refused where a gradient was written by hand', () => {
    const { graph, values } = chain();
    const [x, a] = values;
    if (a.producer) a.producer.meta = { ownGradient: { source: x, gradient: (dy) => dy } };
    expect(() => graph.clone()).toThrow('belongs to one graph');
  });
});
