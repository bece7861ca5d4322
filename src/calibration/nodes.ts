import { int } from '../ir/attributes.ts';
import type { Graph, Node, NodeAttributes, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { fromNumbers } from '../numbers.ts';
import type { Affine } from '../tuned/head.ts';

/** A map of a file's scores, for as many classes as it has columns. */
export interface ScoreMap {
  readonly model: Model;
  readonly graph: Graph;
  readonly scores: Value;
  /** Whether the scores are probabilities: then their logarithms are mapped, and a softmax makes probabilities again. */
  readonly areProbabilities: boolean;
  readonly map: Affine;
}

/** Scores before and after mapping; their readers get the mapped ones. */
export interface Mapped {
  readonly raw: Value;
  readonly scores: Value;
}

/** Smaller probabilities are raised to this, because the logarithm of 0 would decide alone. It is float32's resolution. */
export const LEAST_PROBABILITY: number = 2 ** -23;

/** The opset of new nodes in a file without ai.onnx. */
const OPSET = 13;

/**
 * Puts z · scale + offset behind logits z, without terms that change nothing. For probabilities p it is the softmax of log p · scale +
 * offset, with p at least {@link LEAST_PROBABILITY}.
 */
export function addMap({ model, graph, scores, map, areProbabilities }: ScoreMap): {
  readonly mapped: Mapped | undefined;
  readonly names: readonly string[];
} {
  const { producer } = scores;
  const { scales, shifts } = whatChanges(map);
  if (!producer || (!scales && !shifts)) return { mapped: undefined, names: [] };
  if (!model.proto.opsetImports.has('')) graph.opsetImports.set('', OPSET);
  const raw = graph.define(graph.freshName('lossgraft/uncalibrated'), scores.dtype, scores.shape);
  producer.outputs = producer.outputs.map((output) => (output === scores ? raw : output));
  raw.producer = producer;
  const dims = [map.scale.length, ...Array<number>(Math.max(0, (scores.shape?.length ?? 2) - 2)).fill(1)];
  const steps: Step[] = [
    ...(areProbabilities ? [step('Max', constant(graph, 'least', [LEAST_PROBABILITY], scores, [1])), step('Log')] : []),
    ...(scales ? [step('Mul', constant(graph, 'scale', map.scale, scores, dims))] : []),
    ...(shifts ? [step('Add', constant(graph, 'offset', map.offset, scores, dims))] : []),
    ...(areProbabilities ? [step('Softmax', undefined, new Map([['axis', int(1)]]))] : []),
  ];
  const nodes = graph.after(producer, () => chain(graph, raw, steps, scores));
  return { mapped: { raw, scores }, names: nodes.map(({ name }) => name) };
}

function whatChanges({ scale, offset }: Affine): { readonly scales: boolean; readonly shifts: boolean } {
  return { scales: scale.some((value) => value !== 1), shifts: offset.some((value) => value !== 0) };
}

interface Step {
  readonly opType: string;
  readonly operand: Value | undefined;
  readonly attributes: NodeAttributes;
}

function step(opType: string, operand?: Value, attributes: NodeAttributes = new Map()): Step {
  return { opType, operand, attributes };
}

/** A chain of nodes whose last gives `end`. */
function chain(graph: Graph, start: Value, steps: readonly Step[], end: Value): Node[] {
  let value = start;
  return steps.map(({ opType, operand, attributes }, i) => {
    const isLast = i === steps.length - 1;
    const output = isLast ? end : graph.define(graph.freshName('lossgraft/calibrated'), end.dtype, end.shape);
    const inputs = operand === undefined ? [value] : [value, operand];
    value = output;
    return graph.addNode({ opType, inputs, outputs: [output], attributes });
  });
}

function constant(
  graph: Graph,
  name: string,
  values: ArrayLike<number>,
  { dtype = 'float32' }: Value,
  dims: readonly number[],
): Value {
  const value = graph.define(graph.freshName(`lossgraft/${name}`), dtype, dims);
  graph.initializers.set(value, { dtype, dims, data: fromNumbers(Array.from(values), dtype) ?? new Float32Array() });
  return value;
}
