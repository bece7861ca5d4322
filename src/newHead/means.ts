import { random } from '../data/random.ts';
import { intsAttribute } from '../ir/attributes.ts';
import type { HeadPlan } from './choice.ts';
import { type FeatureRow, type FittedRow, fitRows } from './fit.ts';
import { type NewScore, type OpenHead, widthOf } from './head.ts';
import { DRAW, type MeansRequest, noMeans, visitRows } from './visitRows.ts';

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
 * For several labels per sample: a row for each label, from the means of the samples with and without it, as for a binary head. A label that
 * no sample has, or all have, starts with zeros.
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
