import { castInto } from '../emit/castInto.ts';
import type { Emitter } from '../emit/index.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';

/**
 * Half precision for the CPU provider, which has few kernels of float16 and next to none of bfloat16: each operator computes in float32, and its
 * result is rounded to the half type. A GPU rounds at the same places.
 */
export function roundHalves(op: Emitter): void {
  const wide = new Map<Value, Value>();
  for (const node of op.graph.nodes) if (node.opType !== 'Cast' && touchesHalf(node)) compute(op, node, wide);
}

function isHalf(value: Value | undefined): value is Value {
  return value?.dtype === 'float16' || value?.dtype === 'bfloat16';
}

function touchesHalf({ inputs, outputs }: Node): boolean {
  return inputs.some(isHalf) || outputs.some(isHalf);
}

function compute(op: Emitter, node: Node, wide: Map<Value, Value>): void {
  const { graph } = op;
  const widened = (value: Value): Value => {
    const known = wide.get(value);
    if (known) return known;
    const made = graph.after(value.producer, () => op.cast(value, 'float32'));
    wide.set(value, made);
    return made;
  };
  graph.before(node, () => {
    const inputs = node.inputs.map((input) => (isHalf(input) ? widened(input) : input));
    const outputs = node.outputs.map((output) => output && (isHalf(output) ? inFloat32(graph, output) : output));
    const { opType, domain, attributes, bodies } = node;
    graph.addNode({ opType, domain, attributes, bodies, inputs, outputs });
    for (const [i, output] of node.outputs.entries()) {
      const computed = outputs[i];
      if (output && computed && computed !== output) castInto(graph, computed, output);
    }
  });
  graph.remove(node);
}

function inFloat32(graph: Graph, { name, shape }: Value): Value {
  return graph.define(graph.freshName(`lossgraft/float32/${name}`), 'float32', shape);
}
