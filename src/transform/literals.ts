import type { Graph, Node, Value } from '../ir/graph.ts';
import { elementCount } from '../tensor.ts';

/** PyTorch's exporter marks an initializer as PARAMETER, BUFFER or CONSTANT_TENSOR. */
const KIND = 'pkg.torch.export.graph_signature.InputSpec.kind';
/** The names of what an initializer was computed from before the file was written, as a list in Python. */
const FOLDED_FROM = 'pkg.onnxscript.optimizer.folded_from';

/** `layer1.0.conv1.weight`: PyTorch's exporters keep the names of parameters and buffers. */
const MODULE_PATH = /^[A-Za-z_]\w*(\.\w+)+$/;
/** The same for tensors of the network itself. */
const OWN_NAME = /^[A-Za-z_]\w*(\.\w+)*$/;
/** Names of Constant tensors from PyTorch's dynamo=False exporter; parameters are initializers. */
const CONSTANT_NAME = /(^|\/)Constant(_\d+)?_output_\d+$|^\d+$/;
/** The dynamo=True exporter names computed numbers val_N, and FX names tensors after the operator that made them. */
const NUMBERS = /^val_\d+$/;
const MADE = /^(arange|linspace|full|fill|ones|zeros|eye|scalar_tensor_default)(_\w+)?$/;
const SINES = /^(sin|cos)(_\d+)?$/;
const PERIODIC = new Set(['Sin', 'Cos']);

const ARITHMETIC = new Set(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Min', 'Max', 'Mod', 'Where']);
/** Operators that only change an input's range or element type. */
const RESCALING = new Set([...ARITHMETIC, 'Cast', 'Identity', 'Transpose', 'Unsqueeze']);

/**
 * Why a float tensor that operators read as data is not a weight, but a constant of a formula, a buffer, or a table of positions;
 * `undefined` if nothing speaks against it.
 *
 * @param inputs the result of {@link rescaledInputs}.
 */
export function whyNoWeight(
  graph: Graph,
  value: Value,
  dims: readonly number[],
  inputs: ReadonlySet<Value>,
): string | undefined {
  if (value.name.startsWith('lossgraft/')) return 'part of a loss that lossgraft grafted';
  const notes = graph.metadata.get(value);
  const kind = notes?.get(KIND);
  if (kind === 'PARAMETER') return undefined;
  if (kind !== undefined) return `the exporter calls it a ${kind.toLowerCase().replace('_', ' ')}`;
  const sources = [...(notes?.get(FOLDED_FROM) ?? '').matchAll(/'([^']*)'/g)].map(([, name = '']) => name);
  if (isComputed(sources)) return 'computed from numbers of a formula';
  if (sources.length > 0 && [value.name, ...sources].some((name) => SINES.test(name))) return 'a table of sines';
  if ([...value.uses].every(({ opType }) => PERIODIC.has(opType))) return 'a table of angles';
  if (value.producer && CONSTANT_NAME.test(value.name)) return 'a literal in a Constant node';
  const isArithmetic = [...value.uses].every(({ opType }) => ARITHMETIC.has(opType));
  const isOne = elementCount(dims) === 1 && !isBiasOfOne(graph, value);
  if (isOne && NUMBERS.test(value.name)) return 'one number of a formula';
  if (isArithmetic && isOne && !MODULE_PATH.test(value.name)) return 'one number of a formula';
  if (
    isArithmetic &&
    isPerChannel(dims) &&
    [...value.uses].every((node) => node.inputs.some((input) => input && inputs.has(input)))
  )
    return 'rescales an input';
  return dims.length > 2 && [...value.uses].every((node) => isMultiplied(graph, node, value))
    ? 'a table that a weight multiplies'
    : undefined;
}

/** Whether a tensor of rank 0 may be learned: scales and temperatures have their own names, constants of formulas have the exporter's. */
export function isNamedNumber(graph: Graph, value: Value): boolean {
  const notes = graph.metadata.get(value);
  if (notes === undefined) return OWN_NAME.test(value.name) && !NUMBERS.test(value.name);
  return notes.get(KIND) === 'PARAMETER';
}

function isComputed(sources: readonly string[]): boolean {
  if (sources.some((name) => MODULE_PATH.test(name))) return false;
  return sources.some((name) => MADE.test(name)) || (sources.length > 0 && sources.every((name) => NUMBERS.test(name)));
}

/** Whether a number is the bias of a linear layer with one output, the end of binary networks in Keras and scikit-learn. */
function isBiasOfOne(graph: Graph, value: Value): boolean {
  return [...value.uses].every(({ opType, inputs }) => {
    const sum = opType === 'Add' ? inputs.find((input) => input !== value) : undefined;
    const [, weight] = sum?.producer?.opType === 'MatMul' ? sum.producer.inputs : [];
    const source = weight && graph.initializers.get(weight);
    return source?.dims.length === 2 && source.dims[1] === 1;
  });
}

function isPerChannel(dims: readonly number[]): boolean {
  return dims.filter((dim) => dim !== 1).length <= 1;
}

/** The model's inputs, and results of arithmetic between them and constants: standardized pixels. */
export function rescaledInputs(graph: Graph): ReadonlySet<Value> {
  const rescaled = new Set<Value>(graph.inputs);
  const constants = new Set<Value>(graph.initializers.keys());
  for (const { opType, inputs, outputs } of graph.nodes) {
    const [output] = outputs;
    if (!output) continue;
    if (opType === 'Constant') constants.add(output);
    const others = inputs.filter((input) => input !== undefined && !constants.has(input));
    const [only] = others;
    if (RESCALING.has(opType) && others.length === 1 && only && rescaled.has(only)) rescaled.add(output);
  }
  return rescaled;
}

/** A stack of rows to the left of a stored matrix, such as coordinates from which a small network computes a bias. */
function isMultiplied(graph: Graph, node: Node, value: Value): boolean {
  const [left, right] = node.inputs;
  return node.opType === 'MatMul' && left === value && right !== undefined && graph.initializers.has(right);
}
