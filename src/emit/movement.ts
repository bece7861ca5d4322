import { float, int, ints, string } from '../ir/attributes.ts';
import type { NodeMeta, Value } from '../ir/graph.ts';
import { DATA_TYPES, type Shape } from '../tensor.ts';
import { broadcastShapes, staticDims } from './broadcast.ts';
import { operands, reducedShape, type tableForms } from './elementwise.ts';
import type { Calls, Emitter } from './types.ts';

function unsqueezedShape(shape: Shape, axes: readonly number[]): Shape {
  if (shape === undefined) return undefined;
  const rank = shape.length + axes.length;
  const added = new Set(axes.map((axis) => (axis < 0 ? axis + rank : axis)));
  const kept = [...shape];
  return Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : kept.shift()));
}

type Shapes = Pick<
  Emitter,
  'reshapeLike' | 'shapeOf' | 'dimsOf' | 'expand' | 'expandLike' | 'zerosLike' | 'stopGradient' | 'withGradient'
>;

function shapes(base: Calls): Shapes {
  const shapeOf = (x: Value) => base.call('Shape', [x], { dtype: 'int64', shape: [x.shape?.length] });
  const dimsOf = (x: Value) => {
    const dims = staticDims(x.shape);
    return dims ? base.vector(dims) : shapeOf(x);
  };
  const reshapeLike = (x: Value, like: Value) => {
    const dims = like.shape?.map((dim) => (typeof dim === 'number' ? dim : -1));
    if (dims && !dims.includes(0) && dims.filter((dim) => dim < 0).length <= 1) {
      return base.call('Reshape', [x, base.vector(dims)], { shape: like.shape });
    }
    return base.call('Reshape', [x, shapeOf(like)], { attributes: { allowzero: int(1) }, shape: like.shape });
  };
  const expandLike = (x: Value, like: Value) =>
    like.shape?.length === 0 ? x : base.call('Expand', [x, dimsOf(like)], { shape: like.shape });
  return {
    shapeOf,
    dimsOf,
    reshapeLike,
    expand: (x, shape) => base.call('Expand', [x, shape]),
    expandLike,
    zerosLike: (like) => expandLike(base.scalar(0, like.dtype ?? 'float32'), like),
    stopGradient: (x) => marked(base, x, 'stop_gradient', { stopsGradient: true }),
    withGradient: (x, source, gradient) => marked(base, x, 'own_gradient', { ownGradient: { source, gradient } }),
  };
}

/** The value itself, through a node with meta data for `differentiate`. */
function marked(base: Calls, x: Value, label: string, meta: NodeMeta): Value {
  const value = base.call('Identity', [x], { shape: x.shape, label });
  if (value.producer) value.producer.meta = meta;
  return value;
}

type Movement = Omit<Emitter, keyof Calls | 'graph' | 'opset' | 'scan' | keyof ReturnType<typeof tableForms>>;

/** Operators that move, index, multiply and normalise, in the form of the opset. */
export function movement(base: Calls, opset: number): Movement {
  const withAxes = (op: string, x: Value, axes: readonly number[], shape: Shape) =>
    opset >= 13
      ? base.call(op, [x, base.vector(axes)], { shape })
      : base.call(op, [x], { shape, attributes: { axes: ints(axes) } });
  return {
    cast: (x, dtype) => base.call('Cast', [x], { dtype, shape: x.shape, attributes: { to: int(DATA_TYPES[dtype]) } }),
    where: (condition, a, b) => {
      const [left, right] = operands(base, a, b);
      const shape = broadcastShapes(condition.shape, broadcastShapes(left.shape, right.shape));
      return base.call('Where', [condition, left, right], { dtype: left.dtype, shape });
    },
    reshape: (x, shape) =>
      'uses' in shape
        ? base.call('Reshape', [x, shape])
        : base.call('Reshape', [x, base.vector(shape)], { shape: shape.map((d) => (d > 0 ? d : undefined)) }),
    transpose: (x, perm) =>
      base.call('Transpose', [x], {
        attributes: { perm: ints(perm) },
        shape: x.shape && perm.map((p) => x.shape?.[p]),
      }),
    squeeze: (x, axes) => withAxes('Squeeze', x, axes, reducedShape(x.shape, axes, false)),
    unsqueeze: (x, axes) => withAxes('Unsqueeze', x, axes, unsqueezedShape(x.shape, axes)),
    concat: (xs, axis) => base.call('Concat', xs, { attributes: { axis: int(axis) } }),
    slice: (x, { starts, ends, axes, steps }) =>
      base.call('Slice', [x, ...[starts, ends, axes, ...(steps ? [steps] : [])].map(base.vector)]),
    ...shapes(base),
    ...indexing(base),
    ...algebra(base),
  };
}

type Indexing = Pick<Emitter, 'gather' | 'gatherElements' | 'scatterElements'>;

function indexing(base: Calls): Indexing {
  return {
    gather: (x, indices, axis = 0) => {
      const shape = x.shape &&
        indices.shape && [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
      return base.call('Gather', [x, indices], { attributes: { axis: int(axis) }, shape });
    },
    gatherElements: (x, indices, axis) =>
      base.call('GatherElements', [x, indices], { attributes: { axis: int(axis) }, shape: indices.shape }),
    scatterElements: (x, indices, updates, axis, reduction) =>
      base.call('ScatterElements', [x, indices, updates], {
        attributes: { axis: int(axis), ...(reduction ? { reduction: string(reduction) } : {}) },
        shape: x.shape,
      }),
  };
}

/** The shape of a matrix product; vectors are promoted as in numpy. */
function matMulShape(a: Shape, b: Shape): Shape {
  if (a === undefined || b === undefined) return undefined;
  const batch = broadcastShapes(a.slice(0, -2), b.slice(0, -2)) ?? [];
  return [...batch, ...(a.length > 1 ? [a.at(-2)] : []), ...(b.length > 1 ? [b.at(-1)] : [])];
}

function algebra(base: Calls): Pick<Emitter, 'matMul' | 'gemm' | 'softmax' | 'logSoftmax'> {
  return {
    matMul: (a, b) => base.call('MatMul', [a, b], { shape: matMulShape(a.shape, b.shape) }),
    gemm: (a, b, { transA = false, transB = false, alpha = 1 } = {}) =>
      base.call('Gemm', [a, b], {
        attributes: { alpha: float(alpha), transA: int(Number(transA)), transB: int(Number(transB)) },
        shape: [a.shape?.[transA ? 1 : 0], b.shape?.[transB ? 0 : 1]],
      }),
    softmax: (x, axis) => base.call('Softmax', [x], { attributes: { axis: int(axis) }, shape: x.shape }),
    logSoftmax: (x, axis) => base.call('LogSoftmax', [x], { attributes: { axis: int(axis) }, shape: x.shape }),
  };
}
