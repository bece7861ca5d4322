import { describeNode } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { elementCount } from '../tensor.ts';

const QUANTISED = /^(Q[A-Z]\w*|\w*([Qq]uantize|Integer)\w*|MatMul(NBits|Bnb4|FpQ4))$/;

/** Whether an operator reads or makes quantised numbers: QDQ pairs, QLinear…, …Integer, and onnxruntime's own. */
export function isQuantised({ opType }: Node): boolean {
  return QUANTISED.test(opType);
}

/** QuantizeLinear, of ai.onnx or ONNX Runtime's own. */
export function isQuantise(node: Node): boolean {
  return node.opType === 'QuantizeLinear' && isKnownDomain(node);
}

/** DequantizeLinear, of ai.onnx or ONNX Runtime's own. */
export function isDequantise(node: Node): boolean {
  return node.opType === 'DequantizeLinear' && isKnownDomain(node);
}

function isKnownDomain({ domain }: Node): boolean {
  return domain === '' || domain === 'com.microsoft';
}

/** Whether a node rounds floats to a scale, or gives back what such numbers stand for: gradients pass pairs of them. */
export function isRounding({ opType }: Node): boolean {
  return opType === 'QuantizeLinear' || opType === 'DequantizeLinear' || opType === 'DynamicQuantizeLinear';
}

/** Whether an operator computes with quantised numbers, where no gradient passes. */
function isInteger(node: Node): boolean {
  return isQuantised(node) && !isRounding(node);
}

/** Between a quantised product and what reads it: scales, a bias, a cast. */
const RESCALING = new Set('Add Mul Cast Identity Reshape Flatten Squeeze QuantizeLinear DequantizeLinear'.split(' '));

/** The quantised operator that made a value, or nothing. */
export function quantisedBehind(value: Value, depth = 6): Node | undefined {
  const { producer } = value;
  if (!producer || depth === 0) return undefined;
  if (isInteger(producer)) return producer;
  if (!RESCALING.has(producer.opType)) return undefined;
  const found = producer.inputs.map((input) => input && quantisedBehind(input, depth - 1));
  return found.find((node) => node !== undefined);
}

/** What to do about a model, or a part of one, whose weights are quantised. */
export const QUANTISED_HINT = 'Train the float model from which it was quantised, then quantise the result';

export interface Untrainable {
  readonly found: string;
  readonly hint: string;
}

/** Why a graph without float32 weights has none, and what to do. */
export function whyNoFloats(graph: Graph): Untrainable {
  const quantised = graph.nodes.find((node) => isQuantised(node) && !isRounding(node)) ?? graph.nodes.find(isQuantised);
  if (quantised) return { found: `a quantised model (${describeNode(quantised)})`, hint: QUANTISED_HINT };
  const [dtype] = [...otherWeights(graph)].sort(([, a], [, b]) => b - a)[0] ?? [];
  if (dtype === undefined) return { found: 'a model without weights', hint: 'It has nothing to train' };
  return {
    found: `weights in ${dtype}`,
    hint: `Train the model with float32 weights: export it again without the conversion to ${dtype}, and convert the result`,
  };
}

/** What to tell of weights that `all` does not reach, because they are not in float32. */
export function otherWeightsNotes(graph: Graph): string[] {
  return [...otherWeights(graph)].map(
    ([dtype, elements]) =>
      `${elements.toLocaleString('en')} weights in ${dtype} stay as they are; they cannot be trained in this form`,
  );
}

const HALVES = new Set<string | undefined>(['float16', 'bfloat16', 'float64']);

/** Whether a rounding reads a value as its scale or zero point. */
function isSettingOf(node: Node, value: Value): boolean {
  return isRounding(node) && node.inputs[0] !== value;
}

/** Elements of weights by data type, other than float32: floats, and whole numbers that quantised operators read. */
export function otherWeights(graph: Graph): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [value, { dtype, dims }] of graph.initializers) {
    // Constants of lossgraft's own, such as the means of standardized columns.
    if (value.name.startsWith('lossgraft/')) continue;
    const elements = elementCount(dims);
    const isWhole =
      dtype !== 'float32' && [...value.uses].some((node) => isQuantised(node) && !isSettingOf(node, value));
    if (dtype === undefined || elements < 2 || value.uses.size === 0 || !(HALVES.has(dtype) || isWhole)) continue;
    counts.set(dtype, (counts.get(dtype) ?? 0) + elements);
  }
  return counts;
}
