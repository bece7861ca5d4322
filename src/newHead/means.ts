import { breather } from '../breather.ts';
import { random, shuffle } from '../data/random.ts';
import { fillUp, fixedBatch, type Part } from '../data/samples.ts';
import { rowsByClass } from '../data/split.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode, intsAttribute } from '../ir/attributes.ts';
import { graphEdit } from '../ir/edit.ts';
import type { Node } from '../ir/graph.ts';
import { toNumbers } from '../numbers.ts';
import { editedBytes } from '../onnx/index.ts';
import { type ModelFile, openSession, type Session } from '../runtime/session.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import type { HeadPlan } from './choice.ts';
import { type FeatureRow, type FittedRow, fitRows } from './fit.ts';
import { type NewScore, type OpenHead, widthOf } from './head.ts';

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
const DRAW = 23;

/**
 * Rows of new classes from the mean features of their samples; see `fitRows`.
 *
 * @throws LossgraftError `head-init` for a layer that has no features per sample.
 */
export async function meanScores(head: OpenHead, request: MeansRequest): Promise<NewScore[]> {
  const seen: Float64Array[] = [];
  const scores = await scoresOfMeans(head, request, seen);
  const isBiasedLater = head.bias !== head.layer.bias;
  return scores.map((score) => (typeof score === 'number' ? score : withReach(score, seen, isBiasedLater)));
}

/** With the least and the largest score, before a later Add of the bias too. */
function withReach({ weights, bias }: FittedRow, seen: readonly Float64Array[], isBiasedLater: boolean): NewScore {
  let [least, largest] = [0, 0];
  for (const features of seen) {
    const product = features.reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0);
    const own = [product + bias, ...(isBiasedLater ? [product] : [])];
    [least, largest] = [Math.min(least, ...own), Math.max(largest, ...own)];
  }
  return { weights, bias, reach: [least, largest] };
}

type Rows = (number | FittedRow)[];

async function scoresOfMeans(head: OpenHead, request: MeansRequest, seen: Float64Array[]): Promise<Rows> {
  const { plan } = request;
  const { kind } = head;
  refusePicks(head);
  if (request.part.samples.hot) return labelScores(head, request, request.part.samples.hot, seen);
  const gathered = await gather(head, request, seen);
  const kept = plan.sources.map((source) => source !== null);
  const rows = fitRows({ ...gathered, kept, hasBias: head.bias !== undefined });
  if (kind === 'sigmoid-binary') return [rounded(difference(rows))];
  return plan.sources.map(
    (source, k) => source ?? rounded(rows[k] ?? { weights: new Float64Array(widthOf(head)), bias: 0 }),
  );
}

/** Rows of zeros, or initialized like PyTorch's layers: uniform up to 1/√width. */
export function plainScores(head: OpenHead, plan: HeadPlan, init: 'zeros' | 'random', seed: number): NewScore[] {
  const width = widthOf(head);
  const bound = init === 'zeros' ? 0 : 1 / Math.sqrt(width);
  const drawn = (k: number): NewScore => {
    const { next } = random(seed, k, DRAW);
    const one = (): number => (bound === 0 ? 0 : bound * (next() / 2 ** 31 - 1));
    return rounded({ weights: Float64Array.from({ length: width }, one), bias: one() });
  };
  if (head.kind === 'sigmoid-binary') return [drawn(0)];
  return plan.sources.map((source, k) => source ?? drawn(k));
}

/** As they are kept. */
function rounded({ weights, bias }: FittedRow): FittedRow {
  return { weights: Float64Array.from(weights, Math.fround), bias: Math.fround(bias) };
}

/** If token rows are selected behind the layer, or a kernel sees only a part of the image, a mean over everything is meaningless. */
function refusePicks({ layer, followed }: OpenHead): void {
  const [pick] = followed.picks;
  const kernel = layer.weight.tensor.dims.slice(2);
  const isWide = layer.layout === 'channels' && kernel.some((size) => size !== 1);
  const isPadded = isWide && (intsAttribute(layer.node, 'pads') ?? []).some((pad) => pad !== 0);
  if (!pick && !isPadded) return;
  throw noMeans(
    pick ?? layer.node,
    pick ? 'rows that are picked behind it' : 'a convolution over a padded neighbourhood',
  );
}

function noMeans(node: Node, found: string): LossgraftError {
  return new LossgraftError({
    code: 'head-init',
    where: describeNode(node),
    expected: 'a last layer that reads one vector of each sample, for class means',
    found,
    hint: `Begin with other rows: ${option('headInit', 'zeros')}`,
  });
}

interface Gathered {
  readonly means: (Float64Array | undefined)[];
  readonly counts: number[];
  readonly rows: FeatureRow[];
}

async function gather(head: OpenHead, request: MeansRequest, seen: Float64Array[]): Promise<Gathered> {
  const { plan, part } = request;
  const [classes, width] = [plan.sources.length, widthOf(head)];
  const sums = Array.from({ length: classes }, () => new Float64Array(width));
  const counts = Array<number>(classes).fill(0);
  const rows: FeatureRow[] = [];
  await visitRows(head, request, ({ row, features, scores, isFitted }) => {
    const label = Number(part.samples.labels[row]);
    counts[label] = (counts[label] ?? 0) + 1;
    const sum = sums[label];
    if (sum) addTo(sum, features);
    if (!isFitted) return;
    rows.push({ label, features, scores: scores() });
    seen.push(features);
  });
  const means = sums.map((sum, k) => meanBy(sum, counts[k] ?? 0));
  return { means, counts, rows };
}

/**
 * Of several labels per sample: a row for each label on its own, by the means of the samples that have it and of the others, as for a binary head.
 * A label that no sample has, or every one, begins with zeros.
 */
async function labelScores(
  head: OpenHead,
  request: MeansRequest,
  hot: Uint8Array,
  seen: Float64Array[],
): Promise<Rows> {
  const { sources } = request.plan;
  const [classes, width] = [sources.length, widthOf(head)];
  const all = new Float64Array(width);
  const sums = Array.from({ length: classes }, () => new Float64Array(width));
  const counts = Array<number>(classes).fill(0);
  const visited: { readonly own: Uint8Array; readonly features: Float64Array }[] = [];
  let total = 0;
  await visitRows(head, request, ({ row, features, isFitted }) => {
    const own = hot.subarray(row * classes, (row + 1) * classes);
    total++;
    addTo(all, features);
    for (const [k, sum] of sums.entries()) {
      if (own[k] !== 1) continue;
      counts[k] = (counts[k] ?? 0) + 1;
      addTo(sum, features);
    }
    if (!isFitted) return;
    visited.push({ own, features });
    seen.push(features);
  });
  return sources.map((source, k) => {
    const [sum, n] = [sums[k] ?? all, counts[k] ?? 0];
    if (source !== null) return source;
    if (n === 0 || n === total) return rounded({ weights: new Float64Array(width), bias: 0 });
    const others = meanBy(
      all.map((value, i) => value - (sum[i] ?? 0)),
      total - n,
    );
    const rows = visited.map(({ own, features }) => ({ label: own[k] ?? 0, features, scores: new Float64Array(2) }));
    const means = [others, meanBy(sum, n)];
    const fitted = fitRows({
      means,
      counts: [total - n, n],
      rows,
      kept: [false, false],
      hasBias: head.bias !== undefined,
    });
    return rounded(difference(fitted));
  });
}

/** The row of one score: the second class minus the first. */
function difference([first, second]: readonly FittedRow[]): FittedRow {
  if (!first || !second) throw new RangeError('two classes expected');
  return {
    weights: second.weights.map((value, i) => value - (first.weights[i] ?? 0)),
    bias: second.bias - first.bias,
  };
}

function addTo(sum: Float64Array, features: Float64Array): void {
  for (let j = 0; j < sum.length; j++) sum[j] = (sum[j] ?? 0) + (features[j] ?? 0);
}

function meanBy(sum: Float64Array, count: number): Float64Array | undefined {
  return count === 0 ? undefined : sum.map((value) => value / count);
}

/** A sample by what the last layer reads of it and gives. */
interface Visited {
  readonly row: number;
  readonly features: Float64Array;
  scores(): Float64Array;
  /** Whether it is among those to which the scale is fitted. */
  readonly isFitted: boolean;
}

/** Runs the model over some samples of each class. */
async function visitRows(head: OpenHead, request: MeansRequest, visit: (sample: Visited) => void): Promise<void> {
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
