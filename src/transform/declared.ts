import type { Graph, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { inferTypes } from '../runtime/oracle/oracle.ts';
import { adoptDeclared, restate } from '../runtime/oracle/restate.ts';
import { settleSizes } from '../runtime/oracle/sizes.ts';
import type { Dim, Shape } from '../tensor.ts';

/**
 * Removes wrong tensor sizes stated in the file from the graph. ONNX Runtime's inference is asked first; if it does not confirm a number,
 * or leaves an output open, runs of the model decide.
 */
export async function settleDeclared(model: Model, graph: Graph): Promise<void> {
  const { valueInfos, outputs } = model.proto.graph;
  const stated = [...valueInfos, ...outputs].flatMap(({ name, type }) => {
    const value = graph.values.get(name);
    return value?.producer && type?.shape ? [{ value, shape: type.shape }] : [];
  });
  await inferTypes(
    model.proto,
    graph,
    stated.flatMap(({ value, shape }) => (shape.some((dim) => typeof dim === 'number') ? [value] : [])),
  );
  const confirms = (value: Value, axis: number, dim: Dim) => typeof dim !== 'number' || value.shape?.[axis] === dim;
  const isConfirmed = stated.every(({ value, shape }) => shape.every((dim, axis) => confirms(value, axis, dim)));
  const isOpen = ({ shape }: Value): boolean => shape?.slice(1).includes(undefined) ?? false;
  if (isConfirmed && !graph.outputs.some(isOpen)) return;
  if (!(await settleSizes(model, graph))) return;
  restate(model.proto, graph, confirms);
  adoptDeclared(graph);
}

/**
 * Notes on outputs whose declared sizes are wrong.
 *
 * @param isFreed whether the batch was made free, and so another one.
 */
export function declaredOtherwise(graph: Graph, isFreed = false): string[] {
  return graph.outputs.flatMap((output) => {
    const declared = graph.infos.get(output)?.type?.shape;
    const { name, shape } = output;
    const stated = isFreed ? declared?.map((dim, i) => (i === 0 ? undefined : dim)) : declared;
    if (!declared || !stated || !shape || isCompatible(stated, shape)) return [];
    return [
      `The file declares the output "${name}" as ${shown(declared)}, but the model gives ${shown(shape)}; lossgraft uses what the model gives`,
    ];
  });
}

function isCompatible(declared: readonly Dim[], shape: readonly Dim[]): boolean {
  const agrees = (dim: Dim, i: number): boolean =>
    typeof dim !== 'number' || shape[i] === undefined || shape[i] === dim;
  return declared.length === shape.length && declared.every(agrees);
}

function shown(shape: Shape): string {
  return `[${shape?.map((dim) => dim ?? '?').join(', ')}]`;
}
