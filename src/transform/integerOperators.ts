import { floatAttribute } from '../ir/attributes.ts';
import type { Graph, InitializerSource, Node, Value } from '../ir/graph.ts';
import type { Tensor } from '../tensor.ts';
import { formOf, type IntegerForm, type Scaled, scaledInput } from './integerForms.ts';
import { floatMove } from './integerMoves.ts';
import { floatProduct } from './integerProducts.ts';
import { Rounding } from './rounding.ts';

type Read = (source: InitializerSource) => Tensor;

/**
 * Writes what quantised operators mean as their float forms between DequantizeLinear and QuantizeLinear: QLinearConv, QGemm and the others
 * of QOperator files; MatMulInteger and ConvInteger with the scaling behind them, as dynamic quantisation writes them; and what only moves
 * integers. Numbers are the same but for the last step of a rounding. An operator that it does not know stays, and no gradient passes it.
 *
 * @param read the elements of an initializer.
 * @returns the operators that compute with floats now, each once.
 */
export function floatOperators(graph: Graph, opset: number, read: Read): ReadonlySet<string> {
  const rounding = new Rounding(graph, opset);
  const rewritten = new Set<string>();
  for (const node of graph.nodes) {
    if (floatProduct(rounding, node) || floatForm(rounding, node, read)) rewritten.add(node.opType);
    else floatMove(rounding, node);
  }
  return rewritten;
}

function floatForm(rounding: Rounding, node: Node, read: Read): boolean {
  const form = formOf(node, rounding.opset);
  if (form === undefined) return false;
  const scaled = form.tensors.flatMap((at, i) => scaledInput(node, at, form.axes?.[i]) ?? []);
  const bias = biasOf(rounding.graph, node, form, scaled, read);
  if (scaled.length < form.tensors.length || bias === null) return false;
  const floats = [...scaled, ...(bias ? [bias] : [])].map((each) => rounding.float(each, node));
  const plain = form.plain === undefined ? [] : [node.inputs[form.plain]];
  const attributes = new Map([...node.attributes].filter(([name]) => !form.own?.includes(name)));
  const [scale, zero] = node.inputs.slice(form.output, form.output + 2);
  const spec = { name: node.name, opType: form.opType, inputs: [...plain, ...floats], attributes };
  rounding.replace(node, spec, scale && { scale, zero, axis: 1 });
  return true;
}

/** `undefined` where there is none, `null` where its scale is no constant. */
function biasOf(
  graph: Graph,
  node: Node,
  { bias: at }: IntegerForm,
  scaled: readonly Scaled[],
  read: Read,
): Scaled | undefined | null {
  const value = at === undefined ? undefined : node.inputs[at];
  if (!value) return undefined;
  const scales = scaled.map(({ scale }) => graph.initializers.get(scale));
  const [a, b] = scales.map((source) => source && read(source));
  if (!a || !b) return null;
  return { value, scale: product(graph, a, b, floatAttribute(node, 'alpha', 1)), zero: undefined, axis: 0 };
}

/** The step of a bias as a constant: it stands in no file. */
function product(graph: Graph, a: Tensor, b: Tensor, factor: number): Value {
  const { dims } = a.data.length > b.data.length ? a : b;
  const length = Math.max(a.data.length, b.data.length);
  const at = ({ data }: Tensor, i: number): number => Number(data[data.length === 1 ? 0 : i]);
  const data = Float32Array.from({ length }, (_, i) => factor * Math.fround(at(a, i) * at(b, i)));
  const scale = graph.define(graph.freshName('lossgraft/bias_scale'), 'float32', dims);
  graph.initializers.set(scale, { dtype: 'float32', dims, data });
  return scale;
}
