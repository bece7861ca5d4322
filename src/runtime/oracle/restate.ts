import type { Graph, Value } from '../../ir/graph.ts';
import { relabelDim } from '../../onnx/index.ts';
import type { GraphProto, ModelProto, Replacement, ValueInfoProto } from '../../onnx/types.ts';
import type { Dim } from '../../tensor.ts';

/**
 * Patches what the file says of its tensors' sizes where it is not so: ONNX Runtime believes it, lays out memory and computes Shape nodes
 * by it. A dimension becomes what is known of it; a value info of another rank goes.
 */
export function restate(
  model: ModelProto,
  graph: Graph,
  confirms: (value: Value, axis: number, stated: Dim) => boolean,
): void {
  const outputs = new Set<ValueInfoProto>(model.graph.outputs);
  for (const info of [...model.graph.valueInfos, ...outputs]) {
    const value = graph.values.get(info.name);
    const stated = info.type?.shape;
    if (!value?.producer || !stated || value.shape === undefined) continue;
    if (stated.length === value.shape.length) {
      for (const [axis, dim] of stated.entries()) {
        if (!confirms(value, axis, dim)) graph.patches.push(relabelDim(model.source, info, axis, value.shape[axis]));
      }
    } else if (!outputs.has(info)) graph.patches.push({ span: info.span, bytes: new Uint8Array(0) });
  }
}

/** The sizes that the bodies of If, Loop and Scan state, taken out: no run shows what is inside them. */
export function forgetBodySizes(model: ModelProto, graph: Graph): void {
  for (const body of bodiesIn(model.graph)) {
    for (const info of [...body.inputs, ...body.outputs, ...body.valueInfos]) {
      for (const [axis, dim] of (info.type?.shape ?? []).entries()) {
        if (dim !== undefined)
          graph.patches.push(relabelDim(model.source, info, axis, undefined) satisfies Replacement);
      }
    }
  }
}

function bodiesIn(graph: GraphProto): GraphProto[] {
  return graph.nodes.flatMap(({ attributes }) =>
    [...attributes.values()].flatMap((attribute) => {
      const bodies =
        attribute.type === 'graph' ? [attribute.value] : attribute.type === 'graphs' ? attribute.value : [];
      return bodies.flatMap((body) => [body, ...bodiesIn(body)]);
    }),
  );
}
