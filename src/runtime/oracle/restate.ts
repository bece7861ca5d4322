import type { Graph, Value } from '../../ir/graph.ts';
import { relabelDim } from '../../onnx/index.ts';
import type { GraphProto, ModelProto, Replacement, ValueInfoProto } from '../../onnx/types.ts';
import type { Dim } from '../../tensor.ts';

/**
 * Corrects wrong tensor sizes in the file: ONNX Runtime trusts them for memory layout and Shape nodes. A dimension becomes its known
 * value; a value info with a wrong rank is removed.
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

/** Declared lengths of outputs are used if nothing else tells them, except a number for the batch, which may come from the export. */
export function adoptDeclared(
  graph: Graph,
  isAdopted: (value: Value, axis: number, stated: Dim) => boolean = () => true,
): void {
  for (const output of graph.outputs) {
    const declared = graph.infos.get(output)?.type?.shape;
    if (!output.producer || declared?.length !== output.shape?.length) continue;
    const adopted = (axis: number): Dim => {
      const stated = declared?.[axis];
      const isBatch = axis === 0 && typeof stated === 'number';
      return !isBatch && isAdopted(output, axis, stated) ? stated : undefined;
    };
    output.shape = output.shape?.map((dim, axis) => dim ?? adopted(axis));
  }
}

/** Removes the sizes stated in bodies of If, Loop and Scan: no run shows what is inside them. */
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
