import { readFileSync } from 'node:fs';
import { fromBytes } from '../../src/files/bytes.ts';
import { type AugmentOptions, type AugmentReport, augment, open } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { editedBytes, numberToFloat16, scan } from '../../src/onnx/index.ts';
import { openSession, type Port } from '../../src/runtime/session.ts';
import { type DataType, elementCount, type Tensor, type TensorData } from '../../src/tensor.ts';
import { lossesByName } from './catalogue.ts';
import { factorOf, lossOf, type Sample, type Settings } from './oracle.ts';

export type Tensors = Readonly<Record<string, Tensor>>;

/** What became of a model: its report, both files' outputs on the same input, and what the losses must be. */
export interface Graft {
  readonly report: AugmentReport;
  readonly bytes: Uint8Array;
  readonly before: Tensors;
  readonly after: Tensors;
  /** For float16: the original's outputs, where logits and features are outputs, too. */
  readonly observed: Tensors;
  /** In float64, from the model's own logits and features. */
  readonly expected: { readonly loss: number; readonly perSample: number[]; readonly factor: number[] };
  readonly dims: { readonly logits: readonly number[]; readonly features: readonly number[] };
}

export interface GraftInput {
  readonly feeds: Tensors;
  readonly labels: readonly number[];
}

/** Augments a model and runs it before and after, with the same session options. */
export async function graftAndRun(path: string, options: AugmentOptions, input: GraftInput): Promise<Graft> {
  const { report, bytes } = await augmentFile(path, options);
  const labels: Tensor = {
    dtype: 'int64',
    dims: [input.labels.length],
    data: BigInt64Array.from(input.labels, (label) => BigInt(label)),
  };
  const feeds = { ...input.feeds, [report.names.labels ?? 'labels']: labels };
  const before = await runBytes(path, input.feeds);
  const after = await runBytes(bytes, feeds);
  const inner = [report.logits.name, ...(report.features ? [report.features.name] : [])];
  const seen = await runBytes(withOutputs(bytes, inner), feeds);
  const [logits, features] = inner.map((name) => seen[name]);
  if (!logits) throw new Error(`no logits ${report.logits.name}`);
  return {
    report,
    bytes,
    before,
    after,
    observed: logits.dtype === 'float16' ? await runBytes(withOutputs(readFileSync(path), inner), input.feeds) : {},
    expected: expectedOf(report, logits, features, input.labels, options.featuresAreNorm ?? false),
    dims: { logits: logits.dims, features: features?.dims ?? [] },
  };
}

export async function augmentFile(
  path: string,
  options: AugmentOptions,
): Promise<{ report: AugmentReport; bytes: Uint8Array }> {
  const model = await open(path);
  try {
    const augmented = await augment(model, options);
    return { report: augmented.report, bytes: augmented.bytes() };
  } finally {
    model.close();
  }
}

export async function runBytes(model: string | Uint8Array, feeds: Tensors): Promise<Tensors> {
  const session = await openSession(model);
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** The model with further tensors among its outputs. */
export function withOutputs(bytes: Uint8Array, names: readonly string[]): Uint8Array {
  const proto = scan(fromBytes(bytes, 'model'));
  const own = new Set(proto.graph.outputs.map(({ name }) => name));
  return editedBytes(proto, { untypedOutputs: [...new Set(names)].filter((name) => !own.has(name)) });
}

function expectedOf(
  { loss, options, classWeights, head }: AugmentReport,
  logits: Tensor,
  features: Tensor | undefined,
  labels: readonly number[],
  areNorms: boolean,
): Graft['expected'] {
  const rows = rowsOf(logits).map((row) => (head.kind === 'sigmoid-binary' ? [0, ...row] : row));
  const norms = features ? rowsOf(features).map((row) => normOf(row, features.dims, areNorms)) : [];
  const samples: Sample[] = rows.map((row, i) => ({
    logits: row,
    label: labels[i] ?? 0,
    norm: norms[i] ?? 0,
    weight: classWeights?.values[labels[i] ?? 0] ?? 1,
  }));
  const settings: Settings = options;
  const perSample = samples.map((sample) => lossOf(loss, sample, settings));
  const mean = perSample.reduce((sum, value) => sum + value, 0) / perSample.length;
  const factor = lossesByName[loss]?.needsFeatures ? samples.map((sample) => factorOf(sample, settings)) : [];
  return { loss: mean, perSample, factor };
}

/** Σ|h|, of the average over space where there is space. */
function normOf(row: readonly number[], dims: readonly number[], areNorms: boolean): number {
  if (areNorms) return row[0] ?? Number.NaN;
  const area = elementCount(dims.slice(2));
  let norm = 0;
  for (let channel = 0; channel < row.length; channel += area) {
    norm += Math.abs(row.slice(channel, channel + area).reduce((sum, value) => sum + value, 0) / area);
  }
  return norm;
}

function rowsOf(tensor: Tensor): number[][] {
  const numbers = toNumbers(tensor);
  const width = elementCount(tensor.dims.slice(1));
  return Array.from({ length: tensor.dims[0] ?? 0 }, (_, i) => numbers.slice(i * width, (i + 1) * width));
}

/** The bytes of a tensor, for comparing to the last bit. */
export function bitsOf({ dtype, dims, data }: Tensor): string {
  const bits = ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64')
    : JSON.stringify(data);
  return `${dtype}[${dims.join(', ')}] ${bits}`;
}

/** The outputs that the model had before, which must be the same bits after. */
export function changedOutputs(before: Tensors, after: Tensors): string[] {
  return Object.entries(before).flatMap(([name, tensor]) => {
    const other = after[name];
    return other && bitsOf(other) === bitsOf(tensor) ? [] : [name];
  });
}

/** A small fast generator (mulberry32) of numbers in 0…1. */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Seeded feeds: floats in −1…1, integers from 1 to 8. Free dimensions are given by name, or as `?` where they have none. */
export function seededFeeds(ports: readonly Port[], sizes: Readonly<Record<string, number>>, seed = 1): Tensors {
  const random = generator(seed);
  return Object.fromEntries(
    ports.map(({ name, dtype = 'float32', shape = [] }) => {
      const dims = shape.map((dim) => (typeof dim === 'number' ? dim : (sizes[dim ?? '?'] ?? 1)));
      const numbers = Array.from({ length: elementCount(dims) }, random);
      return [name, { dtype, dims, data: seededData(dtype, numbers) }];
    }),
  );
}

function seededData(dtype: DataType, numbers: readonly number[]): TensorData {
  const signed = numbers.map((x) => 2 * x - 1);
  switch (dtype) {
    case 'float32':
      return Float32Array.from(signed);
    case 'float64':
      return Float64Array.from(signed);
    case 'float16':
      return Uint16Array.from(signed, numberToFloat16);
    case 'int64':
      return BigInt64Array.from(numbers, (x) => BigInt(1 + Math.floor(8 * x)));
    default:
      throw new Error(`no feeds of ${dtype}`);
  }
}

export async function inputsOf(model: string | Uint8Array): Promise<readonly Port[]> {
  const session = await openSession(model);
  try {
    return session.inputs;
  } finally {
    await session.close();
  }
}
