import type { Graph, Value } from '../ir/graph.ts';
import type { AttributeInit } from '../onnx/types.ts';
import type { DataType, Shape, Tensor } from '../tensor.ts';
import type { Binaries, Operand, Reductions, Unaries } from './tables.ts';

export interface CallOptions {
  readonly attributes?: Readonly<Record<string, AttributeInit>>;
  readonly dtype?: DataType | undefined;
  readonly shape?: Shape;
  readonly domain?: string;
  /** Bodies of If, Loop and Scan by attribute. */
  readonly bodies?: Readonly<Record<string, Graph>>;
  /** The base for the names of the node and its outputs; the operator's name by default. */
  readonly label?: string;
}

/** Appends standard ONNX nodes to a graph, in the form of the model's opset, named under `lossgraft/`. */
export interface Pen extends Unaries, Binaries, Reductions {
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
  /** `x` in the shape of `like`, which has equally many elements. */
  readonly reshapeLike: (x: Value, like: Value) => Value;
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
  /** The shape as a 1-D int64 tensor, by a Shape node. */
  readonly shapeOf: (x: Value) => Value;
  /** The same, as a constant if all dimensions are known. */
  readonly dimsOf: (x: Value) => Value;
  /** `x` broadcast to the shape of `like`. */
  readonly expandLike: (x: Value, like: Value) => Value;
  /** Zeros of the shape and type of `like`. */
  readonly zerosLike: (like: Value) => Value;
  /** The value itself, through which no gradient flows: an Identity. */
  readonly stopGradient: (x: Value) => Value;
  /**
   * The value itself with a hand-written gradient: what flows back to it goes through `gradient` to `source`, on which it must depend,
   * and to nothing else.
   */
  readonly withGradient: (x: Value, source: Value, gradient: (dy: Value) => Value) => Value;
  readonly gather: (x: Value, indices: Value, axis?: number) => Value;
  readonly gatherElements: (x: Value, indices: Value, axis: number) => Value;
  readonly scatterElements: (x: Value, indices: Value, updates: Value, axis: number, reduction?: 'add') => Value;
  readonly matMul: (a: Value, b: Value) => Value;
  /** alpha · a·b of two matrices, either one read transposed. */
  readonly gemm: (
    a: Value,
    b: Value,
    options?: { readonly transA?: boolean; readonly transB?: boolean; readonly alpha?: number },
  ) => Value;
  /** Steps along the first axis of `sequences`, backwards if `reverse`: an ONNX Scan. */
  readonly scan: (
    initial: readonly Value[],
    sequences: readonly Value[],
    write: WriteScanStep,
    options?: ScanOptions,
  ) => ScanStep;
  readonly softmax: (x: Value, axis: number) => Value;
  readonly logSoftmax: (x: Value, axis: number) => Value;
}

/** The result of a Scan step: the next states, and one element of each output sequence. */
export interface ScanStep {
  readonly states: readonly Value[];
  readonly outputs: readonly Value[];
}

/** Writes a step with a pen of its own; it may read outer values. */
export type WriteScanStep<P = Pen> = (op: P, states: readonly Value[], elements: readonly Value[]) => ScanStep;

export interface ScanOptions {
  /** From the last element of all sequences to the first. */
  readonly reverse?: boolean;
  /** The same sequence by sequence: 1 is reverse. */
  readonly directions?: { readonly inputs: readonly number[]; readonly outputs: readonly number[] };
}

/** The pen with its graph. */
export interface Emitter extends Pen {
  readonly graph: Graph;
  readonly scan: (
    initial: readonly Value[],
    sequences: readonly Value[],
    write: WriteScanStep<Emitter>,
    options?: ScanOptions,
  ) => ScanStep;
}

/** The basis of all other methods. */
export type Calls = Pick<Emitter, 'call' | 'callAll' | 'constant' | 'scalar' | 'vector'>;
