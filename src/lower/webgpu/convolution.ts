import {
  int,
  intAttribute,
  ints,
  intsAttribute,
  type Node,
  type Pen,
  stringAttribute,
  type Value,
} from '../../emit/index.ts';
import type { AttributeInit } from '../../onnx/types.ts';
import type { NodeForm } from '../adapt.ts';

/** A grouped 3-D convolution, one group at a time: the kernel has no groups. */
export const Conv: NodeForm = ({ op, node, input }) => {
  const [x, w] = [input(0), input(1)];
  const group = intAttribute(node, 'group', 1);
  if (rankOf(node, w) !== 3 || group === 1) return undefined;
  const attributes = { ...attributesOf(node), group: int(1) };
  const [images, filters] = [split(op, x, 1, group), split(op, w, 0, group)];
  const biases = node.inputs[2] && split(op, node.inputs[2], 0, group);
  const results = images.map((part, i) =>
    // No empty name as the bias: the kernel reads it and the process crashes (seen in 1.30).
    op.call('Conv', [part, filters[i], ...(biases ? [biases[i]] : [])], { attributes }),
  );
  return [op.concat(results, 1)];
};

/**
 * A 3-D ConvTranspose: zeros between the elements of x, then a Conv with the filters flipped and their channels swapped. There are kernels
 * for one and two dimensions only.
 */
export const ConvTranspose: NodeForm = ({ op, node, input }) => {
  const [x, w] = [input(0), input(1)];
  const rank = rankOf(node, w);
  const sizes = intsAttribute(node, 'kernel_shape') ?? w.shape?.slice(2).map(Number) ?? [];
  const isStated = stringAttribute(node, 'auto_pad', 'NOTSET') === 'NOTSET' && !node.attributes.has('output_shape');
  if (rank !== 3 || !isStated || !sizes.every(Number.isInteger)) return undefined;
  const axes = range(rank);
  const of = (name: string, fallback: number): number[] => intsAttribute(node, name) ?? axes.map(() => fallback);
  const [strides, dilations, beyond] = [of('strides', 1), of('dilations', 1), of('output_padding', 0)];
  const pads = intsAttribute(node, 'pads') ?? range(2 * rank).map(() => 0);
  const outer = axes.map((i) => (dilations[i] ?? 1) * ((sizes[i] ?? 1) - 1));
  const before = axes.map((i) => (outer[i] ?? 0) - (pads[i] ?? 0));
  const after = axes.map((i) => (outer[i] ?? 0) - (pads[i + rank] ?? 0) + (beyond[i] ?? 0));
  if ([...before, ...after].some((pad) => pad < 0)) return undefined;
  const group = intAttribute(node, 'group', 1);
  const spread = strides.reduce((value, stride, i) => apart(op, value, i + 2, stride, rank + 2), x);
  const attributes = { dilations: ints(dilations), pads: ints([...before, ...after]), kernel_shape: ints(sizes) };
  const [images, filters] = [split(op, spread, 1, group), split(op, w, 0, group)];
  const results = images.map((part, g) => op.call('Conv', [part, turned(op, filters[g] ?? w, axes)], { attributes }));
  const [first = x] = results;
  const y = results.length === 1 ? first : op.concat(results, 1);
  const bias = node.inputs[2];
  return [bias ? op.add(y, op.reshape(bias, [1, -1, ...axes.map(() => 1)])) : y];
};

/** The number of dimensions of a kernel. */
function rankOf(node: Node, w: Value): number {
  return intsAttribute(node, 'kernel_shape')?.length ?? (w.shape?.length ?? 2) - 2;
}

function attributesOf(node: Node): Record<string, AttributeInit> {
  return Object.fromEntries([...node.attributes].filter((each): each is [string, AttributeInit] => isPlain(each[1])));
}

function isPlain({ type }: { readonly type: string }): boolean {
  return ['int', 'ints', 'float', 'string'].includes(type);
}

/** Equal parts along an axis. */
function split(op: Pen, value: Value, axis: number, parts: number): Value[] {
  const size = value.shape?.[axis];
  if (parts === 1) return [value];
  if (typeof size === 'number') {
    const each = size / parts;
    return range(parts).map((i) => op.slice(value, { axes: [axis], starts: [i * each], ends: [(i + 1) * each] }));
  }
  const count = op.opset >= 18 ? { num_outputs: int(parts) } : {};
  const like = range(parts).map(() => ({ dtype: value.dtype }));
  return op.callAll('Split', [value], like, { attributes: { axis: int(axis), ...count } });
}

/** stride − 1 zeros between the elements along an axis, and none after the last one. */
function apart(op: Pen, x: Value, axis: number, stride: number, rank: number): Value {
  if (stride === 1) return x;
  const wide = op.unsqueeze(x, [axis + 1]);
  const pads = [...range(rank + 1).map(() => 0), ...range(rank + 1).map((i) => (i === axis + 1 ? stride - 1 : 0))];
  const padded = op.call('Pad', [wide, op.vector(pads)]);
  const lengths = range(rank).map((i) => (i === axis ? -1 : 0));
  // A 0 keeps the length of an axis before the merged ones; the lengths after them come from a shape.
  const joined = op.reshape(padded, joinedShape(op, padded, axis, lengths));
  return op.slice(joined, { axes: [axis], starts: [0], ends: [1 - stride] });
}

/** The shape of `padded` with the axes `axis` and `axis + 1` merged. */
function joinedShape(op: Pen, padded: Value, axis: number, lengths: readonly number[]): Value {
  const shape = op.shapeOf(padded);
  const head = op.slice(shape, { axes: [0], starts: [0], ends: [axis] });
  const tail = op.slice(shape, { axes: [0], starts: [axis + 2], ends: [lengths.length + 1] });
  return op.concat([head, op.vector([-1]), tail], 0);
}

/** w [C, M, k…] as [M, C, k…], flipped in space. */
function turned(op: Pen, w: Value, axes: readonly number[]): Value {
  const back = axes.map(() => -1);
  const around = op.slice(w, {
    axes: axes.map((i) => i + 2),
    starts: back,
    ends: axes.map(() => -(2 ** 31)),
    steps: back,
  });
  return op.transpose(around, [1, 0, ...axes.map((i) => i + 2)]);
}

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
