import { LossgraftError } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Graph, InitializerSource, Node } from '../ir/graph.ts';
import type { TensorProto } from '../onnx/types.ts';
import type { Quantisation } from '../quantisation.ts';
import type { Tensor } from '../tensor.ts';

/** @throws LossgraftError `bad-quantisation` where the scale of a QuantizeLinear or DequantizeLinear is no positive number, or its zero point of another type. */
export function checkRounding(graph: Graph, node: Node, read: (source: InitializerSource) => Tensor): void {
  const [value, scale, zero] = node.inputs;
  const [source, scales, zeros] = [value, scale, zero].map((each) => each && graph.initializers.get(each));
  if (scales?.dtype === 'float32') checkScale(node, read(scales));
  if (node.opType === 'DequantizeLinear' && source && zeros) checkZeroPoint(node, source, zeros);
}

function checkScale(node: Node, { data }: Tensor): void {
  const at = Array.from(data, Number).findIndex((value) => !(value > 0 && Number.isFinite(value)));
  if (at >= 0) throw bad(node, 'scales above 0', `a scale of ${data[at]}`);
}

function checkZeroPoint(node: Node, weight: Pick<Tensor, 'dtype'> | InitializerSource, zero: InitializerSource): void {
  if (zero.dtype !== weight.dtype)
    throw bad(node, `a zero point of the type of its numbers, ${weight.dtype}`, `one of ${zero.dtype}`);
}

/** @throws LossgraftError `bad-quantisation` where scales, zero points and blocks of a weight do not fit it. */
export function checkQuantisation(node: Node, { dims }: TensorProto, how: Quantisation): void {
  const { scale, zeroPoint, axis, block } = how;
  checkScale(node, scale);
  if (zeroPoint && zeroPoint.dims.join() !== scale.dims.join() && zeroPoint.data.length !== 1)
    throw bad(node, `a zero point for each of the scales [${scale.dims.join(', ')}]`, `[${zeroPoint.dims.join(', ')}]`);
  if (scale.data.length <= 1) return;
  const rank = dims.length;
  if (axis < -rank || axis >= rank)
    throw bad(node, `an axis from ${-rank} to ${rank - 1}, as the weight is [${dims.join(', ')}]`, `axis ${axis}`);
  const at = axis < 0 ? axis + rank : axis;
  const expected = block === 0 ? [dims[at] ?? 0] : dims.map((dim, i) => (i === at ? Math.ceil(dim / block) : dim));
  if (expected.join() === scale.dims.join()) return;
  const per = block === 0 ? `channel of axis ${axis}` : `block of ${block} along axis ${axis}`;
  throw bad(node, `scales [${expected.join(', ')}], one for each ${per}`, `[${scale.dims.join(', ')}]`);
}

function bad(node: Node, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'bad-quantisation',
    where: describeNode(node),
    expected,
    found,
    hint: 'The model is damaged, or was quantised by a faulty tool: quantise the float model again',
  });
}
