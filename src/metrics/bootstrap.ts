import type { CostMatrix } from '../data/costMatrix.ts';
import { random } from '../data/random.ts';
import { judged, METRICS, type MetricName } from './metrics.ts';
import type { AnyScored } from './scored.ts';

/** The bounds of 95 % of the draws. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  readonly metrics: readonly MetricName[];
  /** Default 1000. */
  readonly draws?: number;
  /** Default 0: the same seed gives the same draws on every machine. */
  readonly seed?: number;
  readonly costs?: CostMatrix;
}

const DRAWS = 1000;
const LOW = 0.025;

/** Rank metrics visit all samples once for each class and draw: above this many visits, several seconds, they get no interval. */
export const MAX_RANK_VISITS = 5e8;

/**
 * Intervals of metrics by the percentile bootstrap (Efron 1979), class by class: each draw has as many samples of a class as the data.
 * For a class with a handful of samples the interval is too narrow, because the draws contain nothing else.
 *
 * @returns `null` if a metric is undefined, or ranks too much (see {@link MAX_RANK_VISITS}).
 */
export function intervalsOf(scored: AnyScored, options: BootstrapOptions): Intervals {
  return intervalsIn(drawMetrics([scored], options), 0);
}

export type Intervals = Partial<Record<MetricName, Interval | null>>;
export type Differences = Partial<Record<MetricName, Difference | null>>;

function intervalsIn(drawn: readonly Drawn[], model: number): Intervals {
  return Object.fromEntries(
    drawn.map(({ metric, values }) => {
      const own = values[model];
      return [metric, own === undefined ? null : intervalOf(own)];
    }),
  );
}

/** A comparison of two models on the same samples. Differences are the second's value minus the first's. */
export interface Difference extends Interval {
  readonly first: number;
  readonly second: number;
  readonly difference: number;
  /** The share of draws in which the second is better, in the metric's direction; ties count half. */
  readonly better: number;
  /** A two-sided p-value: twice the share of draws on the rarer side of 0, counting 0 on both sides. */
  readonly p: number;
}

/** Compares two models by a paired bootstrap: each draw takes the same samples for both. Also returns the second one's intervals. */
export function compareModels(
  first: AnyScored,
  second: AnyScored,
  options: BootstrapOptions,
): { readonly intervals: Intervals; readonly differences: Differences } {
  if (first.size !== second.size || first.strata.some((label, row) => label !== second.strata[row]))
    throw new RangeError('two models must be compared on the same samples, but their labels differ');
  const drawn = drawMetrics([first, second], options);
  const { costs } = options;
  const whole = [first, second].map((scored) => judged(scored, costs === undefined ? {} : { costs }));
  const differences = Object.fromEntries(
    drawn.map(({ metric, values: [a, b] }) => {
      const [before, after] = whole.map((each) => METRICS[metric].of(each));
      const isKnown = a !== undefined && b !== undefined && typeof before === 'number' && typeof after === 'number';
      return [
        metric,
        isKnown
          ? differenceOf(
              metric,
              [before, after],
              a.map((value, i) => (b[i] ?? 0) - value),
            )
          : null,
      ];
    }),
  );
  return { intervals: intervalsIn(drawn, 1), differences };
}

function differenceOf(metric: MetricName, [first, second]: readonly [number, number], drawn: Float64Array): Difference {
  const sign = METRICS[metric].better === 'higher' ? 1 : -1;
  const count = (test: (difference: number) => boolean): number =>
    drawn.reduce((n, d) => n + (test(sign * d) ? 1 : 0), 0);
  const [won, lost] = [count((d) => d > 0), count((d) => d < 0)];
  const ties = drawn.length - won - lost;
  return {
    first,
    second,
    difference: second - first,
    ...intervalOf(drawn),
    better: (won + ties / 2) / drawn.length,
    p: Math.min(1, (2 * (1 + Math.min(won, lost) + ties)) / (1 + drawn.length)),
  };
}

interface Drawn {
  readonly metric: MetricName;
  /** The draws of each model; none if the metric is undefined. */
  readonly values: readonly (Float64Array | undefined)[];
}

function drawMetrics(
  models: readonly AnyScored[],
  { metrics, seed = 0, draws = DRAWS, costs }: BootstrapOptions,
): Drawn[] {
  const visits = draws * models.reduce((sum, { size, classes }) => sum + size * classes, 0);
  const able = metrics.filter((metric) => !METRICS[metric].ranks || visits <= MAX_RANK_VISITS);
  const values = new Map(able.map((metric) => [metric, models.map(() => new Float64Array(draws))]));
  const rows = rowsOf(models[0]);
  for (let draw = 0; draw < draws && values.size > 0; draw++) {
    const weights = resample(rows, models[0]?.size ?? 0, seed, draw);
    for (const [i, scored] of models.entries()) {
      const each = judged(scored, { weights, ...(costs === undefined ? {} : { costs }) });
      for (const [metric, own] of values) own[i]?.fill(METRICS[metric].of(each) ?? Number.NaN, draw, draw + 1);
    }
  }
  return metrics.map((metric) => ({
    metric,
    values: models.map((_, i) => {
      const own = values.get(metric)?.[i];
      return own?.some(Number.isNaN) ? undefined : own;
    }),
  }));
}

/** The samples of each class; those with several labels by the rarest one, and those without labels last. */
function rowsOf(scored: AnyScored | undefined): number[][] {
  const rows: number[][] = Array.from({ length: (scored?.classes ?? 0) + 1 }, () => []);
  for (const [row, label] of scored?.strata.entries() ?? []) rows[label]?.push(row);
  return rows;
}

/** How often each sample is in a draw. */
function resample(classes: readonly (readonly number[])[], size: number, seed: number, draw: number): Uint32Array {
  const { below } = random(seed, draw, RESAMPLE);
  const weights = new Uint32Array(size);
  for (const rows of classes) {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[below(rows.length)] ?? 0;
      weights[row] = (weights[row] ?? 0) + 1;
    }
  }
  return weights;
}

/** Separates these draws from others with the same seed. */
const RESAMPLE = 7;

function intervalOf(values: Float64Array): Interval {
  const sorted = Float64Array.from(values).sort();
  return { low: quantile(sorted, LOW), high: quantile(sorted, 1 - LOW) };
}

/** A quantile of ascending values, with linear interpolation as in NumPy. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const place = share * (sorted.length - 1);
  const [low, rest] = [Math.floor(place), place % 1];
  const value = sorted[low] ?? Number.NaN;
  return rest === 0 ? value : value + rest * ((sorted[low + 1] ?? value) - value);
}
