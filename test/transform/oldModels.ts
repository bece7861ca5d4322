import { fromBytes } from '../../src/files/bytes.ts';
import { float, int, ints, string } from '../../src/ir/attributes.ts';
import { buildGraph } from '../../src/ir/build.ts';
import { graphEdit } from '../../src/ir/edit.ts';
import { Graph } from '../../src/ir/graph.ts';
import type { Model } from '../../src/model.ts';
import { blankModel, checkEdit, editedBytes, scan } from '../../src/onnx/index.ts';
import type { AttributeInit } from '../../src/onnx/types.ts';
import { openSession } from '../../src/runtime/session.ts';
import { elementCount, type Tensor } from '../../src/tensor.ts';
import { raiseOpset } from '../../src/transform/raise.ts';

/** One operator at an older opset. */
export interface OldModel {
  readonly op: string;
  readonly opset: number;
  readonly attributes?: Readonly<Record<string, AttributeInit>>;
  /** The data. */
  readonly inputs: readonly Tensor[];
  /** Initializers that follow them. */
  readonly constants?: readonly Tensor[];
  readonly outputs?: number;
  /** Outputs that the model gives; all by default. */
  readonly listed?: number;
}

/** Reproducible floats in [−3, 3], with zeros and ties. */
export function floats(...dims: readonly number[]): Tensor {
  const data = Float32Array.from(
    { length: elementCount(dims) },
    (_, i) => Math.round(30 * Math.sin(i * 1.7 + 0.3)) / 10,
  );
  return { dtype: 'float32', dims, data };
}

function vector(...values: readonly number[]): Tensor {
  return { dtype: 'int64', dims: [values.length], data: BigInt64Array.from(values, (v) => BigInt(v)) };
}

function factors(...values: readonly number[]): Tensor {
  return { dtype: 'float32', dims: [values.length], data: Float32Array.from(values) };
}

function positive(tensor: Tensor): Tensor {
  return { ...tensor, data: Float32Array.from(Array.from(tensor.data, Number), (v) => Math.abs(v) + 0.5) };
}

const scatterInputs: Tensor[] = [floats(3, 4), { ...vector(0, 1, 2, 1), dims: [2, 2] }, floats(2, 2)];
const rois: Tensor = { dtype: 'float32', dims: [2, 4], data: Float32Array.of(0, 0, 5, 5, 1, 2, 7, 6) };
const statistics = [positive(floats(3)), floats(3), floats(3), positive(floats(3))];
const perCell = { type: 'floats', value: [1, 1, 2, 3] } as const;

const softmaxes = ['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op): OldModel[] => [
  { op, opset: 11, inputs: [floats(2, 3, 4)] },
  { op, opset: 9, inputs: [floats(2, 5)] },
  ...[0, 1, 2, 3, -1, -2, -3].map((axis) => ({
    op,
    opset: 12,
    attributes: { axis: int(axis) },
    inputs: [floats(2, 3, 2, 2)],
  })),
]);

const resizes = [7, 9, 10].flatMap((opset) =>
  ['nearest', 'linear'].flatMap((mode): OldModel[] => {
    const op = opset < 10 ? 'Upsample' : 'Resize';
    const one = { op, opset, inputs: [floats(1, 2, 4, 6)] };
    const call = { mode: string(mode) };
    if (opset === 7) return [{ ...one, attributes: { ...call, scales: perCell } }];
    const scales = [
      [1, 1, 2, 3],
      [1, 1, 1.5, 2],
      ...(opset === 10
        ? [
            [1, 1, 0.5, 0.6],
            [1, 1, 0.5, 2.5],
          ]
        : []),
    ];
    return scales.map((values) => ({ ...one, attributes: call, constants: [factors(...values)] }));
  }),
);

/** Every operator whose form changed, with the attributes that matter. */
export const oldModels: readonly OldModel[] = [
  ...softmaxes,
  ...resizes,
  { op: 'Clip', opset: 7, inputs: [floats(2, 3)] },
  { op: 'Clip', opset: 10, attributes: { min: float(-0.7) }, inputs: [floats(2, 3)] },
  { op: 'Clip', opset: 9, attributes: { min: float(0), max: float(6) }, inputs: [floats(2, 3)] },
  { op: 'Clip', opset: 10, attributes: { max: float(1.1) }, inputs: [floats(2, 3)] },
  { op: 'Slice', opset: 9, attributes: { starts: ints([0, 1]), ends: ints([2, 3]) }, inputs: [floats(3, 4)] },
  {
    op: 'Slice',
    opset: 7,
    attributes: { starts: ints([-2]), ends: ints([9999]), axes: ints([1]) },
    inputs: [floats(3, 4)],
  },
  { op: 'Pad', opset: 10, attributes: { pads: ints([0, 1, 2, 1]), value: float(1.5) }, inputs: [floats(2, 3)] },
  { op: 'Pad', opset: 7, attributes: { pads: ints([1, -1, 2, 1]) }, inputs: [floats(2, 3)] },
  ...['reflect', 'edge'].map((mode) => ({
    op: 'Pad',
    opset: 9,
    attributes: { pads: ints([1, 1, 0, 2]), mode: string(mode), value: float(3) },
    inputs: [floats(3, 4)],
  })),
  { op: 'TopK', opset: 9, attributes: { k: int(2) }, inputs: [floats(3, 5)], outputs: 2 },
  { op: 'TopK', opset: 7, attributes: { k: int(2), axis: int(0) }, inputs: [floats(3, 5)], outputs: 2 },
  { op: 'TopK', opset: 10, inputs: [floats(3, 5)], constants: [vector(3)], outputs: 2 },
  { op: 'Dropout', opset: 7, attributes: { ratio: float(0.3) }, inputs: [floats(3, 5)] },
  { op: 'Dropout', opset: 9, inputs: [floats(3, 5)], outputs: 2, listed: 1 },
  { op: 'Dropout', opset: 11, attributes: { ratio: float(0.3) }, inputs: [floats(3, 5)], outputs: 2, listed: 1 },
  { op: 'Squeeze', opset: 11, inputs: [floats(1, 3, 1)] },
  { op: 'Squeeze', opset: 12, attributes: { axes: ints([-1]) }, inputs: [floats(1, 3, 1)] },
  { op: 'Squeeze', opset: 8, attributes: { axes: ints([0]) }, inputs: [floats(1, 3, 1)] },
  { op: 'Unsqueeze', opset: 12, attributes: { axes: ints([0, -1]) }, inputs: [floats(2, 3)] },
  { op: 'Unsqueeze', opset: 8, attributes: { axes: ints([1]) }, inputs: [floats(2, 3)] },
  { op: 'ReduceSum', opset: 12, attributes: { axes: ints([-1, 0]), keepdims: int(0) }, inputs: [floats(2, 3, 4)] },
  { op: 'ReduceSum', opset: 8, inputs: [floats(2, 3)] },
  { op: 'ReduceMean', opset: 11, attributes: { axes: ints([1]) }, inputs: [floats(2, 3)] },
  { op: 'Split', opset: 11, attributes: { axis: int(1), split: ints([1, 3]) }, inputs: [floats(2, 4)], outputs: 2 },
  { op: 'Split', opset: 9, attributes: { axis: int(1) }, inputs: [floats(2, 4)], outputs: 2 },
  {
    op: 'BatchNormalization',
    opset: 8,
    attributes: { spatial: int(1) },
    inputs: [floats(2, 3, 4)],
    constants: statistics,
  },
  { op: 'BatchNormalization', opset: 9, inputs: [floats(2, 3, 4, 2)], constants: statistics },
  { op: 'Scatter', opset: 9, attributes: { axis: int(1) }, inputs: scatterInputs },
  { op: 'Scatter', opset: 10, inputs: scatterInputs },
  { op: 'Resize', opset: 11, inputs: [floats(1, 1, 2, 3)], constants: [factors(), factors(1, 1, 2, 2)] },
  {
    op: 'Resize',
    opset: 12,
    attributes: { mode: string('linear'), coordinate_transformation_mode: string('align_corners') },
    inputs: [floats(1, 1, 2, 3)],
    constants: [factors(), factors(), vector(1, 1, 5, 7)],
  },
  {
    op: 'RoiAlign',
    opset: 10,
    attributes: { output_height: int(3), output_width: int(2), sampling_ratio: int(2) },
    inputs: [floats(1, 2, 8, 9), rois],
    constants: [vector(0, 0)],
  },
  { op: 'OneHot', opset: 9, inputs: [vector(0, 2, 1)], constants: [vector(3), factors(0, 1)] },
  {
    op: 'Gemm',
    opset: 9,
    attributes: { transB: int(1) },
    inputs: [floats(2, 3)],
    constants: [floats(4, 3), floats(4)],
  },
  {
    op: 'MaxPool',
    opset: 9,
    attributes: { kernel_shape: ints([2, 2]), strides: ints([2, 1]) },
    inputs: [floats(1, 2, 5, 5)],
  },
  {
    op: 'ConvTranspose',
    opset: 9,
    attributes: { kernel_shape: ints([3]), strides: ints([2]), auto_pad: string('SAME_UPPER') },
    inputs: [floats(1, 2, 4)],
    constants: [floats(2, 2, 3)],
  },
];

/** The model's file, its outputs typed by ONNX Runtime. `symbolic`: no dimension of its inputs is known. */
export async function oldBytes(old: OldModel, symbolic: boolean): Promise<Uint8Array> {
  const host = blankModel(old.opset, old.op);
  const graph = new Graph();
  const inputs = old.inputs.map((tensor, i) => {
    const shape = symbolic ? tensor.dims.map((_, d) => `x${i}_${d}`) : tensor.dims;
    const value = graph.define(`x${i}`, tensor.dtype, shape);
    graph.inputs.push(value);
    return value;
  });
  const constants = (old.constants ?? []).map((tensor, i) => {
    const value = graph.define(`c${i}`, tensor.dtype, tensor.dims);
    graph.initializers.set(value, tensor);
    return value;
  });
  const outputs = Array.from({ length: old.outputs ?? 1 }, (_, i) => graph.define(`y${i}`));
  const attributes = new Map(Object.entries(old.attributes ?? {}));
  graph.addNode({ opType: old.op, name: 'call', inputs: [...inputs, ...constants], outputs, attributes });
  const listed = outputs.slice(0, old.listed ?? outputs.length);
  const untypedOutputs = listed.map(({ name }) => name);
  const session = await openSession(editedBytes(host, { ...graphEdit(host, graph), untypedOutputs }));
  for (const value of listed) {
    const port = session.outputs.find(({ name }) => name === value.name);
    value.dtype = port?.dtype;
    value.shape = port?.shape;
  }
  await session.close();
  graph.outputs.push(...listed);
  return editedBytes(host, graphEdit(host, graph));
}

/** A model in memory. */
export function modelOf(bytes: Uint8Array, name = 'old'): Model {
  const proto = scan(fromBytes(bytes, name));
  const nothing = (): void => {};
  const opset = proto.opsetImports.get('') ?? 1;
  return { path: null, name, dir: '.', proto, opset, close: nothing, [Symbol.dispose]: nothing };
}

/** The model raised, as a file. */
export async function raisedBytes(model: Model, to: number): Promise<Uint8Array> {
  const graph = buildGraph(model.proto);
  await raiseOpset(model, graph, to);
  const edit = graphEdit(model.proto, graph);
  checkEdit(model.proto, edit);
  return editedBytes(model.proto, edit);
}

/** What a model gives, with the elements as bytes, so that equality is that of bits. */
export async function results(
  bytes: Uint8Array | string,
  feeds: readonly Tensor[],
): Promise<Readonly<Record<string, unknown>>> {
  const session = await openSession(bytes, { optimization: 'off' });
  try {
    const named = session.inputs.flatMap(({ name }, i) => (feeds[i] ? [[name, feeds[i]] as const] : []));
    const found = await session.run(Object.fromEntries(named));
    return Object.fromEntries(Object.entries(found).map(([name, tensor]) => [name, bits(tensor)]));
  } finally {
    await session.close();
  }
}

function bits({ dtype, dims, data }: Tensor): unknown {
  if (!ArrayBuffer.isView(data)) return { dtype, dims, data };
  return { dtype, dims, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex') };
}
