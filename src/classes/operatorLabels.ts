import type { Node } from '../ir/graph.ts';
import type { Tensor } from '../tensor.ts';

/** The labels that a classical model's operator holds. */
export function labelsOf({ domain, opType, attributes }: Node): Tensor | undefined {
  if (domain !== 'ai.onnx.ml' || !opType.endsWith('Classifier')) return undefined;
  for (const name of ['classlabels_strings', 'classlabels_int64s', 'classlabels_ints']) {
    const list = attributes.get(name);
    if (list?.type === 'strings' && list.value.length > 0)
      return { dtype: 'string', dims: [list.value.length], data: [...list.value] };
    if (list?.type === 'ints' && list.value.length > 0)
      return { dtype: 'int64', dims: [list.value.length], data: BigInt64Array.from(list.value) };
  }
  return undefined;
}
