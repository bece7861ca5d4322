import type { Graph, Node, Value } from '../ir/graph.ts';
import { elementCount } from '../tensor.ts';

/** What PyTorch's exporter says of an initializer: PARAMETER, BUFFER or CONSTANT_TENSOR. */
const KIND = 'pkg.torch.export.graph_signature.InputSpec.kind';
/** The names of what an initializer was computed from before the file was written, as a list in Python. */
const FOLDED_FROM = 'pkg.onnxscript.optimizer.folded_from';

/** `layer1.0.conv1.weight`: PyTorch's exporters keep the names of parameters and buffers. */
const MODULE_PATH = /^[A-Za-z_]\w*(\.\w+)+$/;
/** What PyTorch's dynamo=False exporter calls the tensor of a Constant node; parameters are initializers. */
const CONSTANT_NAME = /(^|\/)Constant(_\d+)?_output_\d+$|^\d+$/;
/** Numbers that the dynamo=True exporter computes are val_N, and FX calls tensors by the operator that made them. */
const NUMBERS = /^val_\d+$/;
const MADE = /^(arange|linspace|full|fill|ones|zeros|eye|scalar_tensor_default)(_\w+)?$/;
const SINES = /^(sin|cos)(_\d+)?$/;
const PERIODIC = new Set(['Sin', 'Cos']);

const ARITHMETIC = new Set(['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Min', 'Max', 'Mod', 'Where']);
/** Operators that leave an input of the model an input, of another range or element type. */
const RESCALING = new Set([...ARITHMETIC, 'Cast', 'Identity', 'Transpose', 'Unsqueeze']);

/**
 * Why a float tensor that operators read as data is no weight, but a number of a formula, a buffer, or a table of positions;
 * `undefined` where nothing speaks against it.
 */
export function whyNoWeight(graph: Graph, value: Value, dims: readonly number[]): string | undefined {
  if (value.name.startsWith('lossgraft/')) return 'of a loss that lossgraft grafted on';
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
  if (isArithmetic && elementCount(dims) === 1 && !MODULE_PATH.test(value.name)) return 'one number of a formula';
  if (isArithmetic && isPerChannel(dims) && [...value.uses].every((node) => rescalesInput(graph, node, value)))
    return 'rescales an input';
  return dims.length > 2 && [...value.uses].every((node) => isMultiplied(graph, node, value))
    ? 'a table that a weight multiplies'
    : undefined;
}

function isComputed(sources: readonly string[]): boolean {
  if (sources.some((name) => MODULE_PATH.test(name))) return false;
  return sources.some((name) => MADE.test(name)) || (sources.length > 0 && sources.every((name) => NUMBERS.test(name)));
}

function isPerChannel(dims: readonly number[]): boolean {
  return dims.filter((dim) => dim !== 1).length <= 1;
}

/** Mean and deviation of pixels: what else the node reads is an input of the model, rescaled at most. */
function rescalesInput(graph: Graph, node: Node, value: Value): boolean {
  let other = node.inputs.find((input) => input !== value);
  while (other && !graph.isInput(other)) {
    const producer: Node | undefined = other.producer;
    if (!producer || !RESCALING.has(producer.opType)) return false;
    other = producer.inputs.find(
      (input) => input && !graph.initializers.has(input) && input.producer?.opType !== 'Constant',
    );
  }
  return other !== undefined;
}

/** A stack of rows to the left of a stored matrix, such as coordinates of which a small network makes a bias. */
function isMultiplied(graph: Graph, node: Node, value: Value): boolean {
  const [left, right] = node.inputs;
  return node.opType === 'MatMul' && left === value && right !== undefined && graph.initializers.has(right);
}
