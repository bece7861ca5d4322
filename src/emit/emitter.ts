import { LossgraftError } from '../errors.ts';
import { int, ints, string } from '../ir/attributes.ts';
import type { Graph, NodeAttributes, Value } from '../ir/graph.ts';
import type { AttributeInit } from '../onnx/types.ts';
import { DATA_TYPES, type DataType, type Dim, type Shape, type Tensor } from '../tensor.ts';
import { broadcastShapes } from './broadcast.ts';
import { scalarTensor } from './constants.ts';

/** An operand: a value, or a number that becomes a scalar constant of the other operand's element type. */
export type Operand = Value | number;

export interface CallOptions {
  readonly attributes?: Readonly<Record<string, AttributeInit>>;
  readonly dtype?: DataType | undefined;
  readonly shape?: Shape;
  readonly domain?: string;
}

const UNARY = {
  abs: 'Abs',
  ceil: 'Ceil',
  cos: 'Cos',
  erf: 'Erf',
  exp: 'Exp',
  floor: 'Floor',
  identity: 'Identity',
  log: 'Log',
  neg: 'Neg',
  not: 'Not',
  reciprocal: 'Reciprocal',
  relu: 'Relu',
  sigmoid: 'Sigmoid',
  sign: 'Sign',
  sin: 'Sin',
  softplus: 'Softplus',
  sqrt: 'Sqrt',
  tanh: 'Tanh',
} as const;

const BINARY = { add: 'Add', div: 'Div', mul: 'Mul', pow: 'Pow', sub: 'Sub', max: 'Max', min: 'Min' } as const;
const LOGIC = { and: 'And', or: 'Or' } as const;
const COMPARISON = { equal: 'Equal', greater: 'Greater', less: 'Less' } as const;
const REDUCTION = {
  reduceL1: 'ReduceL1',
  reduceMax: 'ReduceMax',
  reduceMean: 'ReduceMean',
  reduceMin: 'ReduceMin',
  reduceSum: 'ReduceSum',
  reduceSumSquare: 'ReduceSumSquare',
} as const;

type Unary = { readonly [K in keyof typeof UNARY]: (x: Value) => Value };
type Binary = {
  readonly [K in keyof (typeof BINARY & typeof LOGIC & typeof COMPARISON)]: (a: Operand, b: Operand) => Value;
};
/** Without `axes` everything is reduced. Dimensions go away unless `keepDims`. */
type Reduction = {
  readonly [K in keyof typeof REDUCTION]: (x: Value, axes?: readonly number[], keepDims?: boolean) => Value;
};

/** Appends standard ONNX nodes to a graph, in the form that the model's opset wants, named under `lossgraft/`. */
export interface Emitter extends Unary, Binary, Reduction {
  readonly graph: Graph;
  /** The model's ai.onnx opset. */
  readonly opset: number;
  /** Any operator with one output. */
  readonly call: (opType: string, inputs: readonly (Value | undefined)[], options?: CallOptions) => Value;
  /** Any operator with several outputs. */
  readonly callAll: (
    opType: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly { readonly dtype?: DataType | undefined; readonly shape?: Shape }[],
    options?: CallOptions,
  ) => Value[];
  /** A constant; equal constants are one initializer. */
  readonly constant: (tensor: Tensor) => Value;
  /** A scalar constant. */
  readonly scalar: (value: number, dtype: DataType) => Value;
  /** A 1-D int64 constant: shapes, axes, pads. */
  readonly vector: (values: readonly number[]) => Value;
  readonly cast: (x: Value, dtype: DataType) => Value;
  readonly where: (condition: Value, a: Operand, b: Operand) => Value;
  readonly reshape: (x: Value, shape: readonly number[] | Value) => Value;
  readonly transpose: (x: Value, perm: readonly number[]) => Value;
  readonly squeeze: (x: Value, axes: readonly number[]) => Value;
  readonly unsqueeze: (x: Value, axes: readonly number[]) => Value;
  readonly concat: (xs: readonly Value[], axis: number) => Value;
  readonly slice: (
    x: Value,
    range: {
      readonly axes: readonly number[];
      readonly starts: readonly number[];
      readonly ends: readonly number[];
      readonly steps?: readonly number[];
    },
  ) => Value;
  readonly expand: (x: Value, shape: Value) => Value;
  /** The shape as a 1-D int64 tensor. */
  readonly shapeOf: (x: Value) => Value;
  readonly gather: (x: Value, indices: Value, axis?: number) => Value;
  readonly gatherElements: (x: Value, indices: Value, axis: number) => Value;
  readonly scatterElements: (x: Value, indices: Value, updates: Value, axis: number, reduction?: 'add') => Value;
  readonly matMul: (a: Value, b: Value) => Value;
  readonly softmax: (x: Value, axis: number) => Value;
  readonly logSoftmax: (x: Value, axis: number) => Value;
}

/** @throws LossgraftError `opset-too-old` below 11, the first opset in which every loss can be written. */
export function createEmitter(graph: Graph, opset: number): Emitter {
  if (opset < MIN_OPSET) {
    throw new LossgraftError({
      code: 'opset-too-old',
      where: 'opset_import of ai.onnx',
      expected: `opset ${MIN_OPSET} or newer`,
      found: `opset ${opset}`,
      hint: 'Export the model again with a newer opset, or convert it with onnx.version_converter',
    });
  }
  const base = createCalls(graph, opset);
  return {
    graph,
    opset,
    ...base,
    ...mapValues(UNARY, (op) => (x: Value) => base.call(op, [x], { shape: x.shape })),
    ...mapValues({ ...BINARY, ...LOGIC, ...COMPARISON }, (op) => binary(base, op)),
    ...mapValues(REDUCTION, (op) => reduction(base, op, opset)),
    ...movement(base, opset),
    ...indexing(base),
    ...algebra(base),
  };
}

export const MIN_OPSET = 11;

type Calls = Pick<Emitter, 'call' | 'callAll' | 'constant' | 'scalar' | 'vector'>;

function createCalls(graph: Graph, opset: number): Calls {
  const constants = new Map<string, Value>();
  const callAll: Emitter['callAll'] = (opType, inputs, outputs, options = {}) => {
    const attributes: NodeAttributes = new Map(Object.entries(options.attributes ?? {}));
    const name = graph.freshName(`lossgraft/${opType}`);
    const values = outputs.map(({ dtype, shape }, i) => graph.define(i === 0 ? name : `${name}:${i}`, dtype, shape));
    graph.addNode({ opType, name, domain: options.domain ?? '', inputs, outputs: values, attributes });
    return values;
  };
  const call: Emitter['call'] = (opType, inputs, options = {}) => {
    const dtype = 'dtype' in options ? options.dtype : inputs.find((input) => input !== undefined)?.dtype;
    const [value] = callAll(opType, inputs, [{ dtype, shape: options.shape }], options);
    if (!value) throw new Error(`${opType} at opset ${opset} made no output`);
    return value;
  };
  const constant = (tensor: Tensor): Value => {
    const key = `${tensor.dtype} ${tensor.dims.join('x')} ${tensor.data.length > 64 ? graph.freshName('') : Array.from(tensor.data, keyOf).join()}`;
    const known = constants.get(key);
    if (known) return known;
    const value = graph.define(graph.freshName('lossgraft/const'), tensor.dtype, tensor.dims);
    graph.initializers.set(value, tensor);
    constants.set(key, value);
    return value;
  };
  return {
    call,
    callAll,
    constant,
    scalar: (value, dtype) => constant(scalarTensor(value, dtype)),
    vector: (values) =>
      constant({ dtype: 'int64', dims: [values.length], data: BigInt64Array.from(values, (v) => BigInt(v)) }),
  };
}

function keyOf(element: number | bigint | string): string {
  return Object.is(element, -0) ? '-0' : String(element);
}

function mapValues<K extends string, V, R>(table: Readonly<Record<K, V>>, f: (value: V) => R): Record<K, R> {
  const entries = Object.entries<V>(table).map(([key, value]) => [key, f(value)]);
  return Object.fromEntries(entries) as Record<K, R>;
}

/** Both operands as values; a number takes the other's element type. */
function operands(base: Calls, a: Operand, b: Operand): [Value, Value] {
  const dtype =
    (typeof a === 'number' ? undefined : a.dtype) ?? (typeof b === 'number' ? undefined : b.dtype) ?? 'float32';
  const value = (x: Operand) => (typeof x === 'number' ? base.scalar(x, dtype) : x);
  return [value(a), value(b)];
}

function binary(base: Calls, op: string): (a: Operand, b: Operand) => Value {
  const isBoolean = op in Object.fromEntries(Object.values(COMPARISON).map((name) => [name, true]));
  return (a, b) => {
    const [left, right] = operands(base, a, b);
    const shape = broadcastShapes(left.shape, right.shape);
    return base.call(op, [left, right], { shape, dtype: isBoolean ? 'bool' : left.dtype });
  };
}

/** Axes became an input of ReduceSum at opset 13 and of the other reductions at 18. */
function reduction(base: Calls, op: string, opset: number): Emitter['reduceSum'] {
  const axesAreInput = opset >= (op === 'ReduceSum' ? 13 : 18);
  return (x, axes, keepDims = false) => {
    const shape = reducedShape(x.shape, axes, keepDims);
    const keepdims = int(keepDims ? 1 : 0);
    if (axes === undefined) return base.call(op, [x], { shape, attributes: { keepdims } });
    if (axesAreInput) return base.call(op, [x, base.vector(axes)], { shape, attributes: { keepdims } });
    return base.call(op, [x], { shape, attributes: { axes: ints(axes), keepdims } });
  };
}

function reducedShape(shape: Shape, axes: readonly number[] | undefined, keepDims: boolean): Shape {
  if (shape === undefined) return axes === undefined && !keepDims ? [] : undefined;
  const reduced = new Set(
    axes === undefined ? shape.keys() : axes.map((axis) => (axis < 0 ? axis + shape.length : axis)),
  );
  const dims: Dim[] = shape.map((dim, i) => (reduced.has(i) ? 1 : dim));
  return keepDims ? dims : dims.filter((_, i) => !reduced.has(i));
}

type Movement = Pick<
  Emitter,
  'cast' | 'where' | 'reshape' | 'transpose' | 'squeeze' | 'unsqueeze' | 'concat' | 'slice' | 'expand' | 'shapeOf'
>;

function movement(base: Calls, opset: number): Movement {
  const withAxes = (op: string, x: Value, axes: readonly number[]) =>
    opset >= 13 ? base.call(op, [x, base.vector(axes)]) : base.call(op, [x], { attributes: { axes: ints(axes) } });
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
    squeeze: (x, axes) => withAxes('Squeeze', x, axes),
    unsqueeze: (x, axes) => withAxes('Unsqueeze', x, axes),
    concat: (xs, axis) => base.call('Concat', xs, { attributes: { axis: int(axis) } }),
    slice: (x, { starts, ends, axes, steps }) =>
      base.call('Slice', [x, ...[starts, ends, axes, ...(steps ? [steps] : [])].map(base.vector)]),
    expand: (x, shape) => base.call('Expand', [x, shape]),
    shapeOf: (x) => base.call('Shape', [x], { dtype: 'int64', shape: [x.shape?.length] }),
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

function algebra(base: Calls): Pick<Emitter, 'matMul' | 'softmax' | 'logSoftmax'> {
  return {
    matMul: (a, b) => base.call('MatMul', [a, b]),
    softmax: (x, axis) => base.call('Softmax', [x], { attributes: { axis: int(axis) }, shape: x.shape }),
    logSoftmax: (x, axis) => base.call('LogSoftmax', [x], { attributes: { axis: int(axis) }, shape: x.shape }),
  };
}
