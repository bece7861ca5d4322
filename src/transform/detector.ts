import { describeNode } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { formatShape } from '../ir/print.ts';
import { mayBeFloat } from '../tensor.ts';

const SUPPRESSION = new Set(['NonMaxSuppression', 'EfficientNMS_TRT', 'BatchedNMS_TRT', 'BatchedNMSDynamic_TRT']);

/** A phrase with the evidence that a model selects boxes, whatever its outputs look like; `undefined` if there is none. */
export function whySelectsBoxes(graph: Graph): string | undefined {
  const node = graph.nodes.find(({ opType }) => SUPPRESSION.has(opType));
  return node && `the model selects among overlapping boxes (${describeNode(node)})`;
}

/**
 * A phrase with the evidence that outputs other than score rows belong to an object detector: boxes and scores joined or side by side, or
 * maps of several sizes.
 */
export function whyDetects(graph: Graph): string | undefined {
  const outputs = graph.outputs.filter(({ dtype, shape }) => mayBeFloat(dtype) && (shape?.length ?? 0) >= 3);
  const joined = outputs.flatMap((output) => {
    const concat = joinedPieces(output);
    return concat ? [`output "${output.name}" ${formatShape(output.shape)} joins boxes and scores (${concat})`] : [];
  });
  if (joined[0] !== undefined) return joined[0];
  const boxes = outputs.find(({ shape }) => shape?.length === 3 && shape[2] === 4);
  const scores = outputs.find((output) => output !== boxes && output.shape?.length === 3);
  if (boxes && scores) return `output "${boxes.name}" ${formatShape(boxes.shape)} holds boxes`;
  return whyMaps(graph, outputs);
}

function whyMaps(graph: Graph, outputs: readonly Value[]): string | undefined {
  const inputRank = Math.max(...graph.inputs.map(({ shape }) => shape?.length ?? 0));
  const anchors = outputs.find(({ shape }) => shape?.length === 5);
  if (anchors && inputRank === 4) return `output "${anchors.name}" ${formatShape(anchors.shape)} has anchors`;
  const maps = outputs.filter(({ shape }) => shape?.length === 4);
  const [first, second] = maps;
  const sizes = new Set(maps.map(({ shape }) => String(shape?.slice(2))));
  const channels = new Set(maps.map(({ shape }) => shape?.[1]));
  if (!first || !second || sizes.size !== maps.length || channels.size !== 1) return undefined;
  return `outputs "${first.name}" ${formatShape(first.shape)} and "${second.name}" ${formatShape(second.shape)} are maps of several sizes`;
}

const CARRIERS = new Set(['Reshape', 'Transpose', 'Identity', 'Cast', 'Sigmoid', 'Flatten', 'Squeeze', 'Unsqueeze']);

/** The Concat behind an output that joins pieces of which some, but not all, come from a sigmoid; with several scales there may be two. */
function joinedPieces(output: Value): string | undefined {
  let value: Value | undefined = output;
  for (let depth = 0; value?.producer && depth < 12; depth++) {
    const node: Node = value.producer;
    if (node.opType === 'Concat') {
      const pieces = node.inputs.filter((input) => input !== undefined);
      const scores = pieces.filter((piece) => hasSigmoid(piece, 4));
      const others = pieces.filter((piece) => !scores.includes(piece) || isScaled(piece));
      if (scores.length > 0 && others.length > 0 && pieces.length > 1) return describeNode(node);
    } else if (!CARRIERS.has(node.opType)) return undefined;
    value = node.inputs[0];
  }
  return undefined;
}

const MOVES = new Set([...CARRIERS, 'Split', 'Slice', 'Concat', 'Mul', 'Sub', 'Add']);

function hasSigmoid({ producer }: Value, depth: number): boolean {
  if (!producer || depth === 0) return false;
  if (producer.opType === 'Sigmoid') return true;
  return MOVES.has(producer.opType) && producer.inputs.some((input) => input && hasSigmoid(input, depth - 1));
}

/** Coordinates are scaled after their sigmoid, as in YOLOv5. */
function isScaled({ producer }: Value): boolean {
  return producer?.opType === 'Mul' || producer?.opType === 'Pow' || producer?.opType === 'Add';
}
