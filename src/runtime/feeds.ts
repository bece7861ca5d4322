import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError, option } from '../errors.ts';
import type { DataType, Shape, Tensor, TensorData } from '../tensor.ts';
import { elementCount } from '../tensor.ts';

/** A tensor that is fed; without data its elements are in a GPU's memory. */
type Fed = Pick<Tensor, 'dtype' | 'dims'> & Partial<Pick<Tensor, 'data'>>;

/** A graph input or output as ONNX Runtime reports it. */
export interface Port {
  readonly name: string;
  /** `undefined` for what is not a tensor, and for types that onnxruntime-node does not carry. */
  readonly dtype: DataType | undefined;
  /** `undefined` for sequences, maps and optionals, which are not tensors. An unknown rank is reported by ONNX Runtime as `[]`, the same as a scalar: the caller decides which it is. */
  readonly shape: Shape;
}

/** A dtype that can cross between JavaScript and ONNX Runtime. */
export type RuntimeType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool'
  | 'string';

type Numbers = Exclude<TensorData, readonly string[]>;
interface Storage {
  new (length: number): Numbers;
  new (buffer: ArrayBuffer): Numbers;
}

const STORAGE: Readonly<Record<Exclude<RuntimeType, 'string'>, Storage>> = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

export function isRuntimeType(dtype: string): dtype is RuntimeType {
  return dtype === 'string' || Object.hasOwn(STORAGE, dtype);
}

/** Whether `data` is the array type for the elements of a `dtype` tensor. */
export function storageFits(dtype: RuntimeType, data: unknown): data is TensorData {
  return dtype === 'string' ? Array.isArray(data) : data instanceof STORAGE[dtype];
}

/** The number of elements of a type in these bytes. */
export function viewAs(dtype: Exclude<RuntimeType, 'string'>, bytes: ArrayBuffer): TensorData {
  return new STORAGE[dtype](bytes);
}

/** `float32[N, 3, ?]`, for messages. */
export function describePort(dtype: DataType | undefined, shape: Shape): string {
  return `${dtype ?? 'not a tensor'}${shape === undefined ? '' : `[${shape.map((d) => d ?? '?').join(', ')}]`}`;
}

/**
 * Refuses what ONNX Runtime would silently ignore or misread: unknown, missing and ill-typed feeds, a wrong rank, a wrong size of a known
 * dimension, and one symbolic dimension with two sizes.
 *
 * @throws LossgraftError naming the input, what it expects and what it got.
 */
export function checkFeeds(model: string, inputs: readonly Port[], feeds: Readonly<Record<string, Fed>>): void {
  const known = new Set(inputs.map((input) => input.name));
  for (const name of Object.keys(feeds)) {
    if (known.has(name)) continue;
    throw new LossgraftError({
      code: 'unknown-feed',
      where: `${model}, input ${name}`,
      expected: `inputs among ${[...known].join(', ') || 'none'}`,
      found: `a feed named ${name}`,
      hint: 'Correct the name; an initializer cannot be fed, even if it is listed as a graph input',
    });
  }
  const sizes = new Map<string, { size: number; input: string }>();
  for (const input of inputs) {
    const tensor = feeds[input.name];
    const where = `${model}, input ${input.name}`;
    const expected = describePort(input.dtype, input.shape);
    if (tensor === undefined) {
      throw new LossgraftError({
        code: 'missing-feed',
        where,
        expected,
        found: `no feed (given: ${Object.keys(feeds).join(', ') || 'none'})`,
        hint: 'Provide every input of the model',
      });
    }
    checkTensor(where, tensor);
    checkAgainst(where, input, tensor);
    checkSymbols(where, input, tensor, sizes);
  }
}

function checkTensor(where: string, { dtype, dims, data }: Fed): void {
  if (!isRuntimeType(dtype)) {
    throw new LossgraftError({
      code: 'dtype-not-carried',
      where,
      expected: `one of ${Object.keys(STORAGE).join(', ')}, string`,
      found: dtype,
      hint: 'onnxruntime-node does not support this type; cast it inside the graph',
    });
  }
  if (data === undefined) return;
  const storage = data.constructor.name;
  if (!storageFits(dtype, data)) {
    throw new LossgraftError({
      code: 'wrong-storage',
      where,
      expected: `${dtype} in ${dtype === 'string' ? 'an array of strings' : STORAGE[dtype].name}`,
      found: storage,
      hint: 'Store float16 as bit patterns in a Uint16Array, bool in a Uint8Array, int64 in a BigInt64Array',
    });
  }
  if (data.length !== elementCount(dims)) {
    throw new LossgraftError({
      code: 'wrong-length',
      where,
      expected: `${elementCount(dims)} elements for [${dims.join(', ')}]`,
      found: `${data.length}`,
      hint: 'Make dims match the length of data',
    });
  }
}

function checkAgainst(where: string, input: Port, tensor: Fed): void {
  const refuse = (code: ErrorCode, hint: string): LossgraftError =>
    new LossgraftError({
      code,
      where,
      expected: describePort(input.dtype, input.shape),
      found: describePort(tensor.dtype, tensor.dims),
      hint,
    });
  if (input.dtype !== tensor.dtype) throw refuse('wrong-dtype', 'Convert the data to the type that the model expects');
  const shape = input.shape ?? [];
  if (shape.length === 0) return;
  if (shape.length !== tensor.dims.length)
    throw refuse('wrong-rank', 'Reshape the data to the rank that the model expects');
  if (shape.some((dim, axis) => typeof dim === 'number' && dim !== tensor.dims[axis])) {
    throw refuse('wrong-shape', 'Use the sizes that the model fixes');
  }
}

/**
 * Refuses inputs with a fixed size of 0: ONNX Runtime takes it literally and rejects every sample, though some exporters mean a free
 * size.
 *
 * @throws LossgraftError `empty-input` naming the input and a remedy.
 */
export function refuseEmptyInputs(model: string, inputs: readonly Pick<Port, 'name' | 'shape'>[]): void {
  const [input] = inputs.filter(({ shape }) => shape?.includes(0));
  const axis = input?.shape?.indexOf(0);
  if (input === undefined || axis === undefined) return;
  const path = `next(i for i in model.graph.input if i.name == "${input.name}").type.tensor_type.shape.dim[${axis}]`;
  const batch = axis === 0 ? ` (lossgraft augment makes it free with ${option('dynamicBatch')})` : '';
  throw new LossgraftError({
    code: 'empty-input',
    where: `${model}, input ${input.name}`,
    expected: 'sizes above 0, or free ones',
    found: `[${input.shape?.map((d) => d ?? '?').join(', ')}], of which ONNX Runtime takes empty tensors alone`,
    hint: `If the 0 stands for any size, give it a name with Python's onnx: ${path}.dim_param = "N"${batch}`,
  });
}

/** Names that exporters write for any unknown size: two of them need not be equal. */
const PLACEHOLDER = /^(\?|\*|-1|none|unk|unknown|dynamic|)$/i;

function checkSymbols(
  where: string,
  input: Port,
  tensor: Fed,
  sizes: Map<string, { size: number; input: string }>,
): void {
  for (const [axis, dim] of (input.shape ?? []).entries()) {
    const size = tensor.dims[axis];
    if (typeof dim !== 'string' || PLACEHOLDER.test(dim) || size === undefined) continue;
    const before = sizes.get(dim);
    if (before === undefined) {
      sizes.set(dim, { size, input: input.name });
    } else if (before.size !== size) {
      throw new LossgraftError({
        code: 'symbol-mismatch',
        where,
        expected: `${dim} = ${before.size}, as in input ${before.input}`,
        found: `${size} in [${tensor.dims.join(', ')}]`,
        hint: `Every dimension named ${dim} must have the same size`,
      });
    }
  }
}
