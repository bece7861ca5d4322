import * as Plot from '@observablehq/plot';
import { logAxis, tick } from './axis.ts';
import { draw } from './draw.ts';
import type { Html } from './html.ts';

/** A value for each class, by rank. */
export interface Series {
  readonly color: string;
  readonly dash: string;
  readonly values: readonly (number | null)[];
}

/** Above this many classes there are no dots, only means: a page of megabytes would show no more. */
const MAX_DOTS = 1500;
const BINS = 40;

/** Values over the ranks of many classes: a dot for each, and lines through the means of neighbours. */
export function profile(
  label: string,
  classes: number,
  series: readonly Series[],
  axis: { readonly label: string; readonly isLog?: boolean; readonly zero?: boolean },
): Html {
  const dots = classes > MAX_DOTS ? [] : series.flatMap((one) => dotsOf(one));
  return draw(label, {
    height: 250,
    marginLeft: 46,
    marginRight: 14,
    x: { label: 'rank of the class', domain: [1, classes], ticks: 4, tickFormat: 'd' },
    y: {
      grid: true,
      nice: true,
      ticks: 5,
      label: axis.label,
      tickSize: 0,
      ...(axis.isLog
        ? logAxis(series.flatMap((one) => pointsOf(one.values).map(({ value }) => value)))
        : { tickFormat: tick }),
    },
    marks: [
      ...(axis.zero ? [Plot.ruleY([0], { stroke: 'var(--ink)', strokeOpacity: 0.5 })] : []),
      ...dots,
      ...series.map(({ color, dash, values }) =>
        Plot.lineY(means(values), { x: 'rank', y: 'value', stroke: color, strokeWidth: 2.5, strokeDasharray: dash }),
      ),
    ],
  });
}

interface Point {
  readonly rank: number;
  readonly value: number;
}

function pointsOf(values: Series['values']): Point[] {
  return values.flatMap((value, i) => (value === null || !Number.isFinite(value) ? [] : [{ rank: i + 1, value }]));
}

function dotsOf({ color, values }: Series): Plot.Markish[] {
  const points = pointsOf(values).map(({ rank, value }) => ({ rank, value: Number(value.toPrecision(4)) }));
  return [Plot.dot(points, { x: 'rank', y: 'value', r: 1.3, fill: color, fillOpacity: 0.35 })];
}

/** Means of neighbours, at most {@link BINS} of them. */
function means(values: Series['values']): Point[] {
  const width = Math.max(1, Math.ceil(values.length / BINS));
  const bins: Point[] = [];
  for (let start = 0; start < values.length; start += width) {
    const points = pointsOf(values.slice(start, start + width));
    if (points.length === 0) continue;
    const mean = (key: keyof Point): number => points.reduce((sum, point) => sum + point[key], 0) / points.length;
    bins.push({ rank: start + mean('rank'), value: mean('value') });
  }
  return bins;
}
