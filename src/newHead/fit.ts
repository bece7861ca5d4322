/** A sample, by its features before the last layer. */
export interface FeatureRow {
  readonly label: number;
  readonly features: Float64Array;
  /** Its scores of the classes that stay, by their new indices; others are ignored. */
  readonly scores: Float64Array;
}

/** The data for fitting the classes of a head. */
export interface ClassMeans {
  /** The mean features of each class's samples; `undefined` if it has none. */
  readonly means: readonly (Float64Array | undefined)[];
  readonly counts: readonly number[];
}

/** A class's row: weights and bias. */
export interface FittedRow {
  readonly weights: Float64Array;
  readonly bias: number;
}

export interface FitRequest extends ClassMeans {
  /** Classes that stay as they are. */
  readonly kept: readonly boolean[];
  readonly rows: readonly FeatureRow[];
  /** Whether the layer has a bias for each class. */
  readonly hasBias: boolean;
}

/**
 * Rows of a linear layer from class means: s(μ_k − μ) · h − s(‖μ_k‖² − ‖μ‖²)/2 + t for each new class, where μ is the mean of the class
 * means. If all classes are new, the class with the nearest mean has the highest score. The scale s, and the level t beside classes that
 * stay, minimize the log loss, in which all classes count alike. A sample's own class is measured by the mean of its other samples, so
 * that few samples do not seem more certain than they are.
 */
export function fitRows(request: FitRequest): FittedRow[] {
  const { means, hasBias, kept } = request;
  const centre = meanOf(means.filter((mean) => mean !== undefined));
  const table = request.rows.map((row) => scoresOf(request, row, centre));
  const isFree = hasBias && kept.some((stays) => stays);
  const { scale, level } = smallestLoss(request, table, isFree);
  return means.map((mean) => {
    if (!mean) return { weights: new Float64Array(centre.length), bias: 0 };
    const weights = mean.map((value, i) => scale * (value - (centre[i] ?? 0)));
    return { weights, bias: hasBias ? level - (scale * (square(mean) - square(centre))) / 2 : 0 };
  });
}

/** Scores of the new classes for s = 1 and t = 0. */
function scoresOf(
  { means, counts, kept, hasBias }: FitRequest,
  { label, features }: FeatureRow,
  centre: Float64Array,
): Float64Array {
  return Float64Array.from(means, (mean, k) => {
    if (!mean || kept[k]) return 0;
    const n = counts[k] ?? 0;
    const others = k === label && n > 1 ? mean.map((value, i) => (n * value - (features[i] ?? 0)) / (n - 1)) : mean;
    const product = others.reduce((sum, value, i) => sum + (value - (centre[i] ?? 0)) * (features[i] ?? 0), 0);
    return hasBias ? product - (square(others) - square(centre)) / 2 : product;
  });
}

/** The spread of scores is searched between these powers of e: beyond them a softmax is uniform or saturated. */
const SPREAD = { low: -6, high: 3 } as const;
const STEPS = 40;

function smallestLoss(request: FitRequest, table: readonly Float64Array[], isFree: boolean) {
  const unit = 1 / (deviation(request, table) || 1);
  const at = (power: number): { loss: number; level: number } => {
    const scale = unit * Math.exp(power);
    const level = isFree ? bestLevel(request, table, scale) : 0;
    return { loss: lossOf(request, table, { scale, level }).loss, level };
  };
  // Golden-section search: the loss is unimodal.
  const ratio = (Math.sqrt(5) - 1) / 2;
  let [low, high]: [number, number] = [SPREAD.low, SPREAD.high];
  for (let step = 0; step < STEPS; step++) {
    const [a, b] = [high - ratio * (high - low), low + ratio * (high - low)];
    if (at(a).loss <= at(b).loss) high = b;
    else low = a;
  }
  const power = (low + high) / 2;
  return { scale: unit * Math.exp(power), level: at(power).level };
}

/** The level of the new scores relative to the old ones: Newton's method on a convex function, clamped if one side has no samples. */
function bestLevel(request: FitRequest, table: readonly Float64Array[], scale: number): number {
  let level = 0;
  for (let step = 0; step < 30; step++) {
    const { slope, bend } = lossOf(request, table, { scale, level });
    const move = slope / Math.max(bend, 1e-6);
    level -= Math.max(-5, Math.min(5, move));
    if (Math.abs(move) < 1e-6) break;
  }
  return level;
}

/** Keeps the level finite if all samples belong to new classes. */
const RIDGE = 1e-4;

/** The mean log loss with equal class weights, and its first and second derivatives with respect to the level of new classes. */
function lossOf(
  { rows, kept, counts }: FitRequest,
  table: readonly Float64Array[],
  { scale, level }: { readonly scale: number; readonly level: number },
): { loss: number; slope: number; bend: number } {
  let [loss, slope, bend, weights] = [0, 0, 0, 0];
  for (const [i, { label, scores }] of rows.entries()) {
    const own = table[i] ?? new Float64Array();
    const z = own.map((score, k) => (kept[k] ? (scores[k] ?? 0) : scale * score + level));
    const top = z.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
    const odds = z.map((value) => Math.exp(value - top));
    const sum = odds.reduce((total, value) => total + value, 0);
    const fresh = odds.reduce((total, value, k) => total + (kept[k] ? 0 : value), 0) / sum;
    const weight = 1 / Math.max(1, counts[label] ?? 1);
    weights += weight;
    loss += weight * (Math.log(sum) + top - (z[label] ?? 0));
    slope += weight * (fresh - (kept[label] ? 0 : 1));
    bend += weight * fresh * (1 - fresh);
  }
  const all = weights || 1;
  return { loss: loss / all + (RIDGE * level ** 2) / 2, slope: slope / all + RIDGE * level, bend: bend / all + RIDGE };
}

function deviation({ kept }: FitRequest, table: readonly Float64Array[]): number {
  let [count, sum, squares] = [0, 0, 0];
  for (const own of table) {
    for (const [k, score] of own.entries()) {
      if (kept[k]) continue;
      count += 1;
      sum += score;
      squares += score ** 2;
    }
  }
  return count === 0 ? 0 : Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2));
}

function meanOf(vectors: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(vectors[0]?.length ?? 0);
  for (const vector of vectors)
    for (const [i, value] of vector.entries()) mean[i] = (mean[i] ?? 0) + value / vectors.length;
  return mean;
}

function square(vector: Float64Array): number {
  return vector.reduce((sum, value) => sum + value * value, 0);
}
