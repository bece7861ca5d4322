import type { Node } from '../ir/graph.ts';
import type { Rounding } from './rounding.ts';

/** Operators that give elements of their input, in another order or place: they do so with integers as with floats. */
export const MOVES: ReadonlySet<string> = new Set(
  (
    'Reshape Transpose Flatten Squeeze Unsqueeze Identity Slice Split Gather GatherND GatherElements MaxPool Pad Resize Expand Tile ' +
    'DepthToSpace SpaceToDepth ArgMax ArgMin'
  ).split(' '),
);

/** Operators whose results are positions. */
const POSITIONS = new Set(['ArgMax', 'ArgMin']);
/** The number that fills a Pad: an integer like the others. */
const FILL = 2;

/** Lets a node that moves quantised numbers move floats. */
export function floatMove(rounding: Rounding, node: Node): boolean {
  const [value] = node.inputs;
  if (node.domain !== '' || !MOVES.has(node.opType) || !value || !isQuantised(rounding, node)) return false;
  const scale = rounding.scaleOf(value);
  if (scale === undefined || !rounding.isOne(scale)) return false;
  const inputs = node.inputs.map((input, i) =>
    input && (i === 0 || (i === FILL && node.opType === 'Pad'))
      ? rounding.float({ ...scale, value: input }, node)
      : input,
  );
  const { opType, attributes } = node;
  if (POSITIONS.has(opType)) rounding.graph.replaceNode(node, { opType, attributes, inputs, outputs: node.outputs });
  else rounding.replace(node, { opType, attributes, inputs }, scale);
  return true;
}

const INTEGERS = new Set<string | undefined>(['int8', 'uint8', 'int16', 'uint16', 'int4', 'uint4']);

/** Numbers that a QuantizeLinear made, or weights that are scaled behind the node. */
function isQuantised({ graph }: Rounding, { inputs: [value] }: Node): boolean {
  const maker = value?.producer?.opType;
  if (maker === 'QuantizeLinear' || maker === 'DynamicQuantizeLinear') return true;
  return value !== undefined && INTEGERS.has(graph.initializers.get(value)?.dtype);
}
