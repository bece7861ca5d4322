import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expansions, webgpuExpansions } from '../../graphs/expansions/index.ts';
import { gradients } from '../../graphs/gradients/index.ts';
import { createEmitter, type Emitter } from '../../src/emit/index.ts';
import { Graph, type Value } from '../../src/ir/graph.ts';
import { expandFor, type Target } from '../../src/lower/target.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { AttributeInit } from '../../src/onnx/types.ts';
import { inferTypes } from '../../src/runtime/oracle/oracle.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { DataType, Tensor, TensorData } from '../../src/tensor.ts';
import { differentiate } from '../../src/transform/differentiate.ts';
import { prune } from '../../src/transform/prune.ts';
import { addInput, emptyModel, modelBytes } from './scratch.ts';

interface CaseTensor {
  readonly dims: readonly number[];
  readonly data: readonly (number | string)[];
}

/** One operator with attributes and inputs, and what PyTorch's autograd answers in float64. */
export interface GradientCase {
  readonly name: string;
  readonly op: string;
  readonly opset: number;
  readonly attributes?: Readonly<
    Record<
      string,
      { readonly type: 'int' | 'ints' | 'float' | 'floats' | 'string' | 'strings'; readonly value: unknown }
    >
  >;
  /**
   * null: an omitted optional input. `constant`: an initializer, not an input of the model. `fixed`: its dimensions stay known when
   * the others' are symbolic.
   */
  readonly inputs: readonly (
    | null
    | (CaseTensor & {
        readonly name: string;
        readonly dtype: DataType;
        readonly constant?: boolean;
        readonly fixed?: boolean;
      })
  )[];
  /** The gradient that flows into each output; null where none does. */
  readonly dy: readonly (CaseTensor | null)[];
  /** The expected gradient by input name. */
  readonly grads: Readonly<Record<string, CaseTensor>>;
  /** The PyTorch expression that was differentiated. */
  readonly torch: string;
  /** A point without a derivative, or an infinite one: finite differences say nothing there. */
  readonly nondifferentiable?: boolean;
  /** Which dimensions get symbolic in further runs of the case: `all` by default, or `batch`, the first of the first input. */
  readonly symbolic?: readonly Symbolic[];
  readonly rtol?: number;
  readonly atol?: number;
}

export type Symbolic = 'all' | 'batch';

const FOLDER = fileURLToPath(new URL('../../fixtures/gradients', import.meta.url));

/** All cases of fixtures/gradients/<family>.json. */
export function gradientCases(family: string, folder: string = FOLDER): GradientCase[] {
  return JSON.parse(readFileSync(join(folder, `${family}.json`), 'utf8')).cases;
}

export function gradientFamilies(folder: string = FOLDER): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.replace(/\.json$/, ''));
}

export interface CaseOptions {
  /** float64 where ONNX Runtime has the kernels. */
  readonly dtype?: 'float32' | 'float64';
  /** Inputs get symbolic dimensions, so that nothing (or all but the batch's size) is known until the graph runs. */
  readonly symbolic?: Symbolic | undefined;
  /** Whether a forward pass that a rule writes takes the operator's place: by default in float64. */
  readonly replacesForward?: boolean;
  /** Whose kernels the graph is for. Default `any`. */
  readonly target?: Target;
}

/** The graph of a case: the operator, Σ y·dy as the loss, and its gradients by our rules as outputs `<input>.grad`. */
export interface GradientGraph {
  readonly graph: Graph;
  readonly loss: Value;
  readonly wrt: readonly Value[];
  readonly feeds: Readonly<Record<string, Tensor>>;
}

export async function buildGradientCase(test: GradientCase, options: CaseOptions = {}): Promise<GradientGraph> {
  const float = options.dtype ?? 'float32';
  const graph = new Graph();
  const op = createEmitter(graph, test.opset);
  const feeds: Record<string, Tensor> = {};
  const inputs = test.inputs.map((input, i) => {
    const isSymbolic = (axis: number) =>
      options.symbolic === 'all' || (options.symbolic === 'batch' && i === 0 && axis === 0);
    return input ? caseInput(graph, input, float, isSymbolic, feeds) : undefined;
  });
  const outputs = op.callAll(
    test.op,
    inputs,
    test.dy.map(() => ({})),
    { attributes: attributes(test) },
  );
  await inferTypes(emptyModel(test.opset), graph, outputs);
  const loss = weightedSum(op, outputs, test.dy, float, feeds);
  const wrt = Object.keys(test.grads).map((name) => graph.value(name));
  const constants = new Map(test.inputs.flatMap((input) => (input ? [[input.name, input] as const] : [])));
  const found = differentiate(op, loss, wrt, {
    rules: gradients,
    // Kernels that ONNX Runtime has in float32 alone.
    replacesForward: options.replacesForward ?? float === 'float64',
    constant: ({ name }) => (constants.get(name)?.constant ? constants.get(name)?.data.map(Number) : undefined),
  });
  graph.outputs.push(loss, ...wrt.map((value) => gradOutput(op, value, found.get(value))));
  expandFor(op, options.target ?? 'any', { expansions, webgpuExpansions });
  prune(graph);
  return { graph, loss, wrt, feeds };
}

/** Runs the graph of a case in ONNX Runtime. `ops` are the operators that were used. */
export async function runGradientCase(
  test: GradientCase,
  options: CaseOptions = {},
): Promise<{ loss: number; grads: Record<string, number[]>; ops: string[] }> {
  const { graph, loss, wrt, feeds } = await buildGradientCase(test, options);
  const session = await openSession(modelBytes(graph, test.opset), { name: test.name });
  try {
    const results = await session.run(feeds);
    const grads = wrt.map(({ name }) => [name, numbersOf(results[`${name}.grad`])]);
    const ops = [...new Set(graph.nodes.map((node) => node.opType))];
    return { loss: numbersOf(results[loss.name])[0] ?? Number.NaN, grads: Object.fromEntries(grads), ops };
  } finally {
    await session.close();
  }
}

function gradOutput(op: Emitter, value: Value, gradient: Value | undefined): Value {
  const output = op.graph.define(`${value.name}.grad`, value.dtype, value.shape);
  const source = gradient ?? op.zerosLike(value);
  op.graph.addNode({ opType: 'Identity', inputs: [source], outputs: [output] });
  return output;
}

function numbersOf(tensor: Tensor | undefined): number[] {
  return tensor ? toNumbers(tensor) : [];
}

type CaseInput = NonNullable<GradientCase['inputs'][number]>;

function caseInput(
  graph: Graph,
  input: CaseInput,
  float: DataType,
  isSymbolic: (axis: number) => boolean,
  feeds: Record<string, Tensor>,
): Value {
  const tensor = toTensor(input, input.dtype === 'float32' ? float : input.dtype);
  if (input.constant) {
    const value = graph.define(input.name, tensor.dtype, tensor.dims);
    graph.initializers.set(value, tensor);
    return value;
  }
  feeds[input.name] = tensor;
  const shape = input.dims.map((dim, i) => (isSymbolic(i) && !input.fixed ? `${input.name}_${i}` : dim));
  return addInput(graph, input.name, tensor.dtype, shape);
}

function toTensor({ dims, data }: CaseTensor, dtype: DataType): Tensor {
  const numbers = data.map(Number);
  const arrays: Partial<Record<DataType, () => TensorData>> = {
    float32: () => Float32Array.from(numbers),
    float64: () => Float64Array.from(numbers),
    int64: () => BigInt64Array.from(data, (n) => BigInt(n)),
    int32: () => Int32Array.from(numbers),
    bool: () => Uint8Array.from(numbers),
    uint8: () => Uint8Array.from(numbers),
  };
  const make = arrays[dtype];
  if (!make) throw new Error(`no ${dtype} in gradient cases`);
  return { dtype, dims, data: make() };
}

function attributes(test: GradientCase): Record<string, AttributeInit> {
  const entries = Object.entries(test.attributes ?? {}).map(([name, { type, value }]) => {
    const converted =
      type === 'int' ? BigInt(Number(value)) : type === 'ints' ? (value as number[]).map((v) => BigInt(v)) : value;
    return [name, { type, value: converted } as AttributeInit];
  });
  return Object.fromEntries(entries);
}

function weightedSum(
  op: Emitter,
  outputs: readonly Value[],
  dy: GradientCase['dy'],
  float: DataType,
  feeds: Record<string, Tensor>,
): Value {
  const terms = outputs.flatMap((y, i) => {
    const weight = dy[i];
    if (!weight) return [];
    const dtype = y.dtype ?? float;
    feeds[`dy${i}`] = toTensor(weight, dtype);
    const shape = y.shape ?? weight.dims;
    const term = op.reduceSum(op.mul(y, addInput(op.graph, `dy${i}`, dtype, shape)));
    return [dtype === float ? term : op.cast(term, float)];
  });
  const [first, ...rest] = terms;
  if (!first) throw new Error('a gradient case without dy');
  return rest.reduce((sum, term) => op.add(sum, term), first);
}

/** The worst of |actual − expected| / (atol + rtol·max|expected|): at most 1 passes. */
export function worstRatio(actual: readonly number[], expected: CaseTensor, rtol: number, atol: number): number {
  const numbers = expected.data.map(Number);
  if (actual.length !== numbers.length) return Number.POSITIVE_INFINITY;
  const scale = numbers.reduce((max, value) => (Number.isFinite(value) ? Math.max(max, Math.abs(value)) : max), 0);
  let worst = 0;
  for (const [i, value] of numbers.entries()) {
    const other = actual[i] ?? Number.NaN;
    if (Object.is(value, other) || (Number.isNaN(value) && Number.isNaN(other))) continue;
    const ratio = Math.abs(other - value) / (atol + rtol * scale);
    if (!(ratio <= worst)) worst = Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
  }
  return worst;
}

/** Of the largest expected gradient: a device adds float32 up in another order than PyTorch its float64. */
const DEVICE_RTOL = 1e-4;
const DEVICE_ATOL = 1e-6;

/** What is wrong with the gradients that a device computed for a case, or `undefined`. `prefix` stands before the names of its outputs. */
export function gradientProblem(
  test: GradientCase,
  outputs: Readonly<Record<string, Tensor>>,
  prefix = '',
): string | undefined {
  const [rtol, atol] = [Math.max(DEVICE_RTOL, test.rtol ?? 0), Math.max(DEVICE_ATOL, test.atol ?? 0)];
  let worst = { name: '', ratio: 1 };
  for (const [name, expected] of Object.entries(test.grads)) {
    const found = outputs[`${prefix}${name}.grad`];
    if (!found) return `no gradient of ${name}`;
    const ratio = worstRatio(toNumbers(found), expected, rtol, atol);
    if (!(ratio <= worst.ratio)) worst = { name, ratio };
  }
  if (worst.ratio === 1) return undefined;
  const off = (worst.ratio * rtol).toExponential(1);
  return `gradient of ${worst.name} is ${off} off, relative to its largest element`;
}
