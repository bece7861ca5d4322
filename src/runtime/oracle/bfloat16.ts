import { isView } from '../../ir/edit.ts';
import type { Graph, Node, Value } from '../../ir/graph.ts';

/** Operators whose output type does not follow their first input's. */
const TYPED_OUTPUT = new Set([
  'Shape',
  'Size',
  'Equal',
  'Less',
  'Greater',
  'LessOrEqual',
  'GreaterOrEqual',
  'ArgMax',
  'ArgMin',
  'NonZero',
  'IsNaN',
]);

/** Marks bfloat16 values by following them from inputs, initializers and casts, because a session cannot report them. */
export function markBfloat16(graph: Graph): void {
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    if (!output || output.dtype !== undefined) continue;
    const makes = makesBfloat16(node);
    const follows = !TYPED_OUTPUT.has(node.opType) && node.opType !== 'Cast' && node.inputs.some(isBfloat16);
    if (makes || follows) output.dtype = 'bfloat16';
  }
}

export function isBfloat16(value: Value | undefined): boolean {
  return value?.dtype === 'bfloat16';
}

/** Whether a node turns something else into bfloat16: a Cast, a constant, a filled tensor. */
export function makesBfloat16(node: Node): boolean {
  if (node.domain !== '') return false;
  const attribute = node.attributes.get(
    node.opType === 'Cast' ? 'to' : node.opType === 'RandomNormal' ? 'dtype' : 'value',
  );
  if (attribute?.type === 'int') return attribute.value === 16n;
  return (
    attribute?.type === 'tensor' &&
    (isView(attribute.value) ? attribute.value.dtypeNumber === 16 : attribute.value.dtype === 'bfloat16')
  );
}
