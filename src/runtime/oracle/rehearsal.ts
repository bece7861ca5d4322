import { LossgraftError } from '../../errors.ts';
import type { Graph, Value } from '../../ir/graph.ts';
import { fromNumbers } from '../../numbers.ts';
import { editedBytes } from '../../onnx/index.ts';
import type { ModelProto, NodeInit } from '../../onnx/types.ts';
import { elementCount, type Tensor, type TensorData } from '../../tensor.ts';
import { isRuntimeType } from '../feeds.ts';
import { openSession, type Session } from '../session.ts';
import { skeletonEdit } from './skeleton.ts';
import { firstSizes, freeSizes, otherBatch, type Sizes, secondSizes, sizeKey } from './trialSizes.ts';

/** The result of one run. */
export interface Run {
  /** The sizes of the inputs' free dimensions. */
  readonly sizes: Sizes;
  /** The dimensions of each tensor. */
  readonly dims: ReadonlyMap<Value, readonly number[]>;
}

export interface Rehearsal {
  /** One or two; the second with other sizes. */
  readonly runs: readonly Run[];
  /** Whether every free dimension had two sizes: then lengths that are equal in both runs do not depend on them. */
  readonly isVaried: boolean;
}

/** Why the model did not run. */
export interface NotRehearsed {
  readonly why: string;
}

/**
 * Runs the current model to see the dimensions that its kernels give to `values`. Sizes do not depend on weights: large ones become zeros
 * that nodes produce, so that no file is read, and memory stays that of one operator. Inputs are noise, and integers 0 or 1, which every
 * vocabulary has. A second run has another batch size, and other sizes if the model leaves them free.
 */
export async function rehearse(
  model: { readonly proto: ModelProto; readonly dir: string },
  graph: Graph,
  values: readonly Value[],
): Promise<Rehearsal | NotRehearsed> {
  try {
    const options = { optimization: 'off', name: model.proto.source.name, externalDataFolder: model.dir } as const;
    const session = await openSession(editedBytes(model.proto, shapesOf(model.proto, graph, values)), options);
    try {
      return await runTwice(session, graph, values);
    } finally {
      await session.close();
    }
  } catch (error) {
    return { why: reason(error) };
  }
}

function reason(error: unknown): string {
  if (error instanceof LossgraftError) return error.problem.found;
  return error instanceof Error ? error.message : String(error);
}

async function runTwice(session: Session, graph: Graph, values: readonly Value[]): Promise<Rehearsal> {
  const free = freeSizes(graph.inputs);
  const first = await firstThatRuns(firstSizes(graph, free), (sizes) => runOnce(session, graph, values, sizes));
  if (first instanceof Error) throw first;
  if (free.length === 0) return { runs: [first], isVaried: true };
  const again = async (sizes: Sizes): Promise<Run> => {
    const second = await runOnce(session, graph, values, sizes);
    const isAlike = values.every((value) => second.dims.get(value)?.length === first.dims.get(value)?.length);
    if (isAlike) return second;
    throw new Error('a number of dimensions that depends on sizes');
  };
  const second = await firstThatRuns(secondSizes(free, first.sizes), again);
  if (!(second instanceof Error)) return { runs: [first, second], isVaried: true };
  const other = await firstThatRuns(otherBatch(free, first.sizes), again);
  return { runs: other instanceof Error ? [first] : [first, other], isVaried: false };
}

/** The first run that works, or why the very first failed. */
async function firstThatRuns(tries: readonly Sizes[], run: (sizes: Sizes) => Promise<Run>): Promise<Run | Error> {
  let why: Error | undefined;
  for (const sizes of tries) {
    try {
      return await run(sizes);
    } catch (error) {
      why ??= error instanceof Error ? error : new Error(String(error));
    }
  }
  return why ?? new Error('no sizes to try');
}

const SHAPES = 'lossgraft/rehearsal/shapes';
/** Marks the start of each value's dimensions; no dimension is negative. */
const MARK = -1n;

/** The model with one output: the dimensions of all values in a row, each after a mark. */
function shapesOf(proto: ModelProto, graph: Graph, values: readonly Value[]): ReturnType<typeof skeletonEdit> {
  const shape = (of: string): NodeInit => {
    const name = `lossgraft/shape_of/${of}`;
    return { name, opType: 'Shape', inputs: [of], outputs: [name] };
  };
  const shapes = values.map(({ name }) => shape(name));
  const mark = 'lossgraft/rehearsal/mark';
  const joined: NodeInit = {
    name: SHAPES,
    opType: 'Concat',
    inputs: shapes.flatMap(({ name }) => [mark, name]),
    outputs: [SHAPES],
    attributes: new Map([['axis', { type: 'int', value: 0n }]]),
  };
  const tensor: Tensor = { dtype: 'int64', dims: [1], data: BigInt64Array.of(MARK) };
  const initializers = [{ name: mark, tensor }];
  return skeletonEdit(proto, graph, { outputs: [SHAPES], nodes: [...shapes, joined], initializers, heavy: 'zeros' });
}

async function runOnce(session: Session, graph: Graph, values: readonly Value[], sizes: Sizes): Promise<Run> {
  const listed = new Map(graph.inputs.map((input) => [input.name, input]));
  const seed = [...sizes.values()].reduce((sum, size) => 31 * sum + size, 1);
  const feeds = session.inputs.map(({ name, dtype = 'float32', shape }, i) => {
    const dims = (listed.get(name)?.shape ?? shape ?? []).map((dim, axis) =>
      typeof dim === 'number' ? dim : (sizes.get(sizeKey(dim, axis)) ?? 1),
    );
    return [name, { dtype, dims, data: noise(dtype, elementCount(dims), seed + i) }] as const;
  });
  const results = await session.run(Object.fromEntries(feeds));
  const shapes: number[][] = [];
  for (const dim of results[SHAPES]?.data ?? []) {
    if (dim === MARK) shapes.push([]);
    else shapes.at(-1)?.push(Number(dim));
  }
  return { sizes, dims: new Map(values.map((value, i) => [value, shapes[i] ?? []])) };
}

const REALS = new Set<Tensor['dtype']>(['float32', 'float64', 'float16']);

/** Floats in 0…1, integers 0 or 1, letters. */
function noise(dtype: Tensor['dtype'], count: number, seed: number): TensorData {
  let state = seed >>> 0;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  if (dtype === 'string') return Array.from({ length: count }, () => (random() < 0.5 ? 'a' : 'b'));
  if (dtype === 'float32') {
    const images = new Float32Array(count);
    for (let i = 0; i < count; i++) images[i] = random();
    return images;
  }
  const numbers = Array.from({ length: count }, REALS.has(dtype) ? random : () => Math.round(random()));
  const data = fromNumbers(numbers, dtype);
  if (data && isRuntimeType(dtype)) return data;
  throw new Error(`an input of ${dtype}, which cannot be fed`);
}
