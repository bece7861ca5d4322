import { svg } from './dom.ts';

/** Lines over whole numbers, drawn without a library: the page's policy allows no inline styles. */

export interface Line {
  readonly name: string;
  readonly values: readonly number[];
  readonly className: string;
}

const WIDTH = 360;
const HEIGHT = 180;
const LEFT = 40;
const BOTTOM = 22;
const TOP = 8;
/** Points of a line at most: the mean of each stretch is drawn. */
const POINTS = 240;

/** @param ends the positions of the first and the last value. */
export function drawCurve(
  place: HTMLElement,
  lines: readonly Line[],
  ends: readonly [number, number],
  label: string,
): void {
  const all = lines.flatMap(({ values }) => values).filter(Number.isFinite);
  if (all.length === 0) return;
  const last = Math.max(...lines.map(({ values }) => values.length)) - 1;
  const ticks = ticksOf(Math.min(...all), Math.max(...all));
  const [low = 0, high = 1] = [ticks[0], ticks.at(-1)];
  const x = (at: number): number => LEFT + (at / Math.max(1, last)) * (WIDTH - LEFT - 8);
  const y = (value: number): number => TOP + (1 - (value - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM);
  const grid = ticks.flatMap((tick) => [
    svg('line', { class: 'grid', x1: LEFT, x2: WIDTH - 8, y1: y(tick), y2: y(tick) }),
    svg('text', { x: LEFT - 6, y: y(tick) + 4, 'text-anchor': 'end' }, shortNumber(tick)),
  ]);
  const [from, to] = ends;
  const numbers = [
    svg('text', { x: x(0), y: HEIGHT - 4, 'text-anchor': 'start' }, String(from)),
    ...(to > from ? [svg('text', { x: x(last), y: HEIGHT - 4, 'text-anchor': 'end' }, String(to))] : []),
  ];
  const paths = lines.map(({ values, className }) => {
    const points = thinned(values).map(([i, value]) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`);
    return svg('polyline', { class: `line ${className}`, points: points.join(' ') });
  });
  const shown = `${label}: ${lines.map(({ name, values }) => `${name} ${shortNumber(values.at(-1) ?? Number.NaN)}`).join(', ')}`;
  place.replaceChildren(
    svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': shown }, ...grid, ...numbers, ...paths),
  );
}

function thinned(values: readonly number[]): (readonly [number, number])[] {
  const size = Math.max(1, Math.ceil(values.length / POINTS));
  const points: (readonly [number, number])[] = [];
  for (let start = 0; start < values.length; start += size) {
    const part = values.slice(start, start + size).filter(Number.isFinite);
    if (part.length === 0) continue;
    points.push([start + (part.length - 1) / 2, part.reduce((sum, value) => sum + value, 0) / part.length]);
  }
  return points;
}

/** Round numbers that enclose both. */
function ticksOf(low: number, high: number): number[] {
  const range = high - low || Math.abs(high) || 1;
  const rough = range / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const [first, last] = [Math.floor(low / step), Math.ceil(high / step)];
  return Array.from({ length: Math.max(2, last - first + 1) }, (_, i) => (first + i) * step);
}

function shortNumber(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en', { maximumSignificantDigits: 3 });
}
