import { isView } from '../../ir/edit.ts';
import type { Graph, Node, Value } from '../../ir/graph.ts';
import { topologicalOrder } from '../../ir/order.ts';
import { isZeroed } from './skeleton.ts';

/** Inputs that determine the size of an output, by operator. Their content is data, unless it comes from shapes and constants. */
const LENGTH_INPUTS: Readonly<Record<string, readonly number[]>> = {
  AffineGrid: [1],
  CenterCropPad: [1],
  Col2Im: [1, 2],
  Compress: [0, 1],
  ConstantOfShape: [0],
  DFT: [1, 2],
  Expand: [1],
  HammingWindow: [0],
  HannWindow: [0],
  BlackmanWindow: [0],
  MaxUnpool: [2],
  MelWeightMatrix: [0, 1],
  NonMaxSuppression: [0, 1, 2, 3, 4],
  NonZero: [0],
  OneHot: [1],
  Pad: [1, 3],
  Range: [0, 1, 2],
  Reshape: [1],
  Resize: [1, 2, 3],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  STFT: [1, 3],
  StringSplit: [0],
  Tile: [1],
  TopK: [1],
  Unique: [0],
  Unsqueeze: [1],
  Upsample: [1],
};

/** Operators for which any input may be a length or a trip count. */
const ANY_INPUT = /^(If|Loop|Scan|Sequence|SplitToSequence|ConcatFromSequence|Optional)/;

const RANDOM = new Set([
  'RandomNormal',
  'RandomUniform',
  'RandomNormalLike',
  'RandomUniformLike',
  'Bernoulli',
  'Multinomial',
]);

/**
 * The values whose dimensions may depend on the content of inputs or weights: on NonZero's result, or the branch that If takes. That two
 * runs agree on these proves nothing.
 */
export function dataShaped(graph: Graph): ReadonlySet<Value> {
  const weights = [...graph.initializers].filter(([, source]) => isView(source) && isZeroed(source));
  const held = new Set<Value>([...graph.inputs, ...weights.map(([value]) => value)]);
  const shaped = new Set<Value>();
  for (const node of topologicalOrder(graph)) {
    const reads = [...node.inputs, ...node.captures].filter((value) => value !== undefined);
    const isShaped = reads.some((value) => shaped.has(value)) || lengthInputs(node).some((value) => held.has(value));
    const isHeld = isShaped || (!isMeasure(node) && (makesData(node) || reads.some((value) => held.has(value))));
    for (const output of node.outputs) {
      if (!output) continue;
      if (isShaped && !isMeasure(node)) shaped.add(output);
      if (isHeld) held.add(output);
    }
  }
  return shaped;
}

function isMeasure({ opType, domain }: Node): boolean {
  return domain === '' && (opType === 'Shape' || opType === 'Size');
}

/** Random numbers, and constants that are zeros in a rehearsal. */
function makesData({ opType, attributes }: Node): boolean {
  const value = opType === 'Constant' ? attributes.get('value') : undefined;
  return RANDOM.has(opType) || (value?.type === 'tensor' && isView(value.value) && isZeroed(value.value));
}

function lengthInputs(node: Node): Value[] {
  const { opType } = node;
  const isAny = ANY_INPUT.test(opType);
  const positions = opType.startsWith('Reduce') ? [1] : LENGTH_INPUTS[opType];
  const inputs = isAny ? [...node.inputs, ...node.captures] : (positions ?? []).map((i) => node.inputs[i]);
  return inputs.filter((value) => value !== undefined);
}
