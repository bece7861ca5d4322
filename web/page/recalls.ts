import type { ClassRecall, Trained } from '../protocol.ts';
import { make, svg } from './dom.ts';
import { count, percent } from './words.ts';

/** Above so many classes those that changed most are shown, and the report has all. */
const SHOWN = 40;

/** The recall of each class before and after, with 95 % intervals. */
export function recallTable({ recalls, isTest, folds }: Trained): HTMLElement {
  const change = ({ before, after }: ClassRecall): number => Math.abs((after?.recall ?? 0) - (before?.recall ?? 0));
  const isLong = recalls.length > SHOWN;
  const shown = isLong ? [...recalls].sort((a, b) => change(b) - change(a)).slice(0, SHOWN) : recalls;
  const held = folds === null ? 'held-out samples' : 'the samples that each fold left out';
  const judged = isTest ? 'the test samples' : held;
  const caption = `Recall by class on ${judged}, in %, with 95 % intervals (Wilson)${isLong ? `; the ${SHOWN} classes of ${recalls.length} that changed most` : ''}`;
  const head = make(
    'tr',
    '',
    ...['Class', 'Trained on', 'Before', 'After', 'Interval'].map((text) => make('th', '', text)),
  );
  const rows = shown.map((row) => {
    const chart = make('td', 'chart', intervalChart(row));
    return make('tr', '', make('th', '', row.name), ...figuresOf(row), chart);
  });
  const key = make(
    'p',
    'quiet',
    make('span', 'key', make('i', 'before'), 'before'),
    make('span', 'key', make('i', ''), 'after'),
  );
  const table = make('table', '', make('caption', '', caption), make('thead', '', head), make('tbody', '', ...rows));
  return make('div', 'table recalls', key, table);
}

function figuresOf({ trained, before, after }: ClassRecall): HTMLElement[] {
  return [count(trained), percent(before?.recall), percent(after?.recall)].map((text) => make('td', '', text));
}

const WIDTH = 200;

function intervalChart({ name, before, after }: ClassRecall): SVGElement {
  const x = (share: number): number => 6 + share * (WIDTH - 12);
  const marks = [
    { found: before, y: 8, className: 'before' },
    { found: after, y: 18, className: '' },
  ].flatMap(({ found, y, className }) => {
    if (!found) return [];
    const { recall, low, high } = found;
    const span =
      low === null || high === null
        ? []
        : [svg('line', { class: `span ${className}`, x1: x(low), x2: x(high), y1: y, y2: y })];
    return [...span, svg('circle', { class: `dot ${className}`, cx: x(recall), cy: y, r: 4 })];
  });
  const rail = svg('line', { class: 'rail', x1: x(0), x2: x(1), y1: 13, y2: 13 });
  const said = (found: ClassRecall['before']): string =>
    found ? `${percent(found.recall)} % (${percent(found.low)} to ${percent(found.high)})` : 'no samples';
  const label = `${name}: before ${said(before)}, after ${said(after)}`;
  return svg('svg', { viewBox: `0 0 ${WIDTH} 26`, role: 'img', 'aria-label': label }, rail, ...marks);
}
