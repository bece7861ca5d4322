import { breather } from '../breather.ts';
import { random, shuffle } from '../data/random.ts';
import { fillUp, fixedBatch, type Part } from '../data/samples.ts';
import { rowsByClass } from '../data/split.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import { graphEdit } from '../ir/edit.ts';
import type { Node } from '../ir/graph.ts';
import { toNumbers } from '../numbers.ts';
import { editedBytes } from '../onnx/index.ts';
import { type ModelFile, openSession, type Session } from '../runtime/session.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import type { HeadPlan } from './choice.ts';
import { type OpenHead, widthOf } from './head.ts';

/** The basis for the rows of new classes. */
export interface MeansRequest {
  readonly plan: HeadPlan;
  /** Training samples only: the head must not see those that will judge it. */
  readonly part: Part;
  readonly seed: number;
  readonly batchSize: number;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Samples of a class for its mean: more hardly change it. */
const PER_CLASS = 256;
/** The numbers used to fit the scale: samples × classes × (features + 60). */
const FIT_BUDGET = 4e8;
const MOST_FITTED = 2000;
/** Separates these draws from others with the same seed. */
export const DRAW = 23;

/** A sample: what the last layer reads, and what it returns. */
interface Visited {
  readonly row: number;
  readonly features: Float64Array;
  scores(): Float64Array;
  /** Whether the scale is fitted to it. */
  readonly isFitted: boolean;
}

/** Runs the model over some samples of each class. */
export async function visitRows(
  head: OpenHead,
  request: MeansRequest,
  visit: (sample: Visited) => void,
): Promise<void> {
  const { plan, part, threads, signal } = request;
  const chosen = chosenRows(part, request.seed);
  const isFitted = fittedAmong(chosen.length, plan.sources.length, widthOf(head));
  const breathe = breather(signal);
  const { file, session: how } = withOutputs(head);
  const session = await openSession(file, { ...how, provider: 'cpu', ...(threads === undefined ? {} : { threads }) });
  try {
    const size = fixedBatch(session.inputs) ?? request.batchSize;
    for (let start = 0; start < chosen.length; start += size) {
      await breathe();
      const batch = chosen.subarray(start, start + size);
      const read = await readBatch(head, session, part, batch);
      for (const [i, row] of batch.entries()) {
        const scores = (): Float64Array => read.scores(i, plan);
        visit({ row, features: read.features(i), scores, isFitted: isFitted(start + i) });
      }
    }
  } finally {
    await session.close();
  }
}

/** At most this many of each class, drawn by the seed, in ascending order. */
function chosenRows({ samples, rows }: Part, seed: number): Uint32Array {
  const classes = rowsByClass(Array.from(rows, (row) => samples.labels[row] ?? 0n));
  const drawn = [...classes].flatMap(([label, places]) => [
    ...shuffle(Uint32Array.from(places), random(seed, label, DRAW)).subarray(0, PER_CLASS),
  ]);
  return Uint32Array.from(drawn, (place) => rows[place] ?? 0).sort();
}

/** The samples for fitting the scale, evenly spaced. */
function fittedAmong(samples: number, classes: number, width: number): (place: number) => boolean {
  const most = Math.max(classes, Math.min(MOST_FITTED, Math.floor(FIT_BUDGET / (classes * (width + 60)))));
  const step = Math.max(1, samples / most);
  return (place) => Math.floor(place / step) !== Math.floor((place - 1) / step);
}

/** The model with the last layer's input and output as outputs. */
function withOutputs({ model, graph, layer, scores }: OpenHead): ModelFile {
  const { outputs } = model.proto.graph;
  const further = [layer.features.name, scores.name].filter((name) => !outputs.some((output) => output.name === name));
  const inputs = new Set(graph.inputs.map(({ name }) => name));
  const untypedOutputs = [...new Set(further)].filter((name) => !inputs.has(name));
  const bytes = editedBytes(model.proto, { ...graphEdit(model.proto, graph), untypedOutputs });
  return { file: bytes, session: { name: model.name, externalDataFolder: model.dir } };
}

async function readBatch({ layer, scores, graph }: OpenHead, session: Session, { samples }: Part, rows: Uint32Array) {
  const given = await samples.read(rows);
  const own = session.inputs.flatMap(({ name }) => (given[name] ? [[name, given[name]] as const] : []));
  const fed = fillUp(Object.fromEntries(own), fixedBatch(session.inputs));
  const { features } = layer;
  const asked = graph.isInput(features) ? [scores.name] : [features.name, scores.name];
  const results = await session.run(fed, [...new Set(asked)]);
  const read = results[features.name] ?? fed[features.name];
  const score = results[scores.name];
  if (read === undefined || score === undefined) throw new RangeError('the features and the scores expected');
  const numbers = toNumbers(score);
  const width = numbers.length / (score.dims[0] ?? 1);
  return {
    features: vectorsOf(read, layer),
    scores: (i: number, { sources }: HeadPlan): Float64Array =>
      Float64Array.from(sources, (source) => (source === null ? 0 : (numbers[i * width + source] ?? 0))),
  };
}

/** The layer's input for each sample as one vector: positions are averaged, because the following nodes average their scores. */
function vectorsOf(tensor: Tensor, { node, layout, weight }: OpenHead['layer']): (i: number) => Float64Array {
  const numbers = toNumbers(tensor);
  const { dims } = tensor;
  if (layout === 'columns') {
    const [height = 0, samples = 0] = dims;
    return (i) => Float64Array.from({ length: height }, (_, j) => numbers[j * samples + i] ?? 0);
  }
  const size = elementCount(dims.slice(1));
  const width = layout === 'channels' ? (dims[1] ?? 0) : (dims.at(-1) ?? 0);
  const positions = size / width;
  const kernel = elementCount(weight.tensor.dims.slice(2));
  if (layout === 'channels' && kernel > 1 && positions !== kernel)
    throw noMeans(node, 'a convolution over a part of the picture');
  if (layout === 'channels' && kernel > 1) return (i) => Float64Array.from(numbers.slice(i * size, (i + 1) * size));
  const at =
    layout === 'channels' ? (j: number, p: number) => j * positions + p : (j: number, p: number) => p * width + j;
  return (i) =>
    Float64Array.from({ length: width }, (_, j) => {
      let sum = 0;
      for (let p = 0; p < positions; p++) sum += numbers[i * size + at(j, p)] ?? 0;
      return sum / positions;
    });
}

/** A layer whose input is not one vector for each sample. */
export function noMeans(node: Node, found: string): LossgraftError {
  return new LossgraftError({
    code: 'head-init',
    where: describeNode(node),
    expected: 'a last layer that reads one vector of each sample, for class means',
    found,
    hint: `Begin with other rows: ${option('headInit', 'zeros')}`,
  });
}
