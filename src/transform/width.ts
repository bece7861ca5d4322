import { intAttribute } from '../ir/attributes.ts';
import type { Graph, Value } from '../ir/graph.ts';

/**
 * The number of scores of the last linear layer, from its weights or bias, if shapes do not tell: they are unknown behind ai.onnx.ml
 * operators.
 */
export function widthByWeights(graph: Graph, { producer }: Value): number | undefined {
  if (producer?.domain !== '') return undefined;
  const dims = (value: Value | undefined): readonly number[] => (value && graph.initializers.get(value)?.dims) ?? [];
  const [a, b, c] = producer.inputs;
  switch (producer.opType) {
    case 'MatMul':
      return dims(b).length === 2 ? dims(b)[1] : undefined;
    case 'Gemm':
      return dims(b)[intAttribute(producer, 'transB', 0) === 1 ? 0 : 1] ?? dims(c)[0];
    case 'Add':
      return [a, b].flatMap((value) => (value?.producer ? (widthByWeights(graph, value) ?? []) : []))[0];
    case 'Identity':
      return a && widthByWeights(graph, a);
    default:
      return undefined;
  }
}
