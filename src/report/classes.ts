import * as Plot from '@observablehq/plot';
import { type Group, groupsOf } from '../metrics/groups.ts';
import type { Metrics } from '../records/metrics.ts';
import { signedTick, tick } from './axis.ts';
import { draw } from './draw.ts';
import { count, percent, points } from './format.ts';
import { type Html, html } from './html.ts';
import {
  BEFORE,
  classLabels,
  figure,
  folded,
  type JudgedLook,
  judgedOf,
  type Look,
  labelMargin,
  legend,
  subjectOf,
  table,
} from './look.ts';
import { profile } from './profile.ts';
import type { Report } from './report.ts';

/** Up to this many classes have a row each; more are shown as profiles over their ranks. */
export const MAX_ROWS = 40;

/** A class in charts. */
export interface ClassRow {
  readonly index: number;
  /** Unique, because names may be truncated. */
  readonly key: string;
  readonly name: string;
  readonly count: number;
  readonly group: Group;
}

/** The classes, the most frequent first. */
export function rowsOf({ classes }: Report): ClassRow[] {
  const { of } = groupsOf(classes.map(({ count: samples }) => samples));
  const rows = classes.map(
    ({ name, count: samples }, index): ClassRow => ({
      index,
      key: String(index),
      name,
      count: samples,
      group: of[index] ?? 'medium',
    }),
  );
  return rows.sort((a, b) => b.count - a.count);
}

/** The chart's options for one row per class. */
export function byClass(rows: readonly ClassRow[], x: Plot.ScaleOptions): Plot.PlotOptions {
  const names = classLabels(rows);
  return {
    height: 48 + 21 * rows.length,
    marginLeft: labelMargin(names.values()),
    marginRight: 34,
    marginTop: 8,
    x,
    y: {
      domain: rows.map(({ key }) => key),
      label: null,
      tickSize: 0,
      tickFormat: (key: string) => names.get(key) ?? key,
    },
  };
}

/** Recall class by class, before and after, and against the baseline. */
export function classes(report: Report): Html {
  const rows = rowsOf(report);
  const judged = judgedOf(report);
  const shown = comparedOf(report, judged);
  const isShort = rows.length <= MAX_ROWS;
  const main = subjectOf(report, judged);
  const rival = rivalOf(report, judged, main);
  return html`<section id="classes"><h2>Classes</h2>
<p class="lede">The ${rows.length} classes by how many training samples they have, the most frequent ${isShort ? 'on top' : 'on the left'}.</p>
${legend(shown.map(({ look }) => look))}
<div class="grid">${isShort ? countsFigure(rows) : countProfile(rows)}${isShort ? recallFigure(rows, shown) : recallProfile(rows, shown)}${main && rival && (isShort ? gainFigure(rows, main, rival) : gainProfile(rows, main, rival))}</div>
${!isShort && main && rival && extremes(rows, main, rival)}
${folded('All classes as a table', classTable(report, rows, judged))}</section>`;
}

/** The given model, the one that the page is about, and the baseline. */
function comparedOf(report: Report, judged: readonly JudgedLook[]): JudgedLook[] {
  const subject = subjectOf(report, judged);
  const baseline = report.arms.find(({ isBaseline }) => isBaseline)?.name;
  return [
    ...judged.filter(({ look }) => look === BEFORE),
    ...(subject ? [subject] : []),
    ...judged.filter((one) => one !== subject && one.look.name === baseline),
  ];
}

/** The model it is compared with: the baseline, or else another loss, or else the given model. */
function rivalOf(
  { arms }: Report,
  judged: readonly JudgedLook[],
  main: JudgedLook | undefined,
): JudgedLook | undefined {
  const baseline = arms.find(({ isBaseline }) => isBaseline)?.name;
  const others = judged.filter((one) => one.look !== BEFORE && one !== main);
  return others.find(({ look }) => look.name === baseline) ?? others[0] ?? judged.find(({ look }) => look === BEFORE);
}

const GROUP_OPACITY = { many: 0.85, medium: 0.55, few: 0.3 } as const;
const COUNTS = 'Training samples';
const COUNTS_NOTE = 'Per class, after cutting the long tail and holding out validation data.';

function countsFigure(rows: readonly ClassRow[]): Html {
  const chart = draw('Training samples of each class', {
    ...byClass(rows, { grid: true, label: 'samples', ticks: 4, nice: true, tickFormat: tick, tickSize: 0 }),
    marks: [
      Plot.barX(rows, {
        x: 'count',
        y: 'key',
        fill: 'var(--ink)',
        fillOpacity: ({ group }: ClassRow) => GROUP_OPACITY[group],
        insetTop: 2,
        insetBottom: 2,
        title: ({ name, count: samples, group }: ClassRow) => `${name}: ${count(samples)}, ${group}-shot`,
      }),
      Plot.text(rows, {
        x: 'count',
        y: 'key',
        text: ({ count: samples }: ClassRow) => count(samples),
        textAnchor: 'start',
        dx: 4,
      }),
    ],
    opacity: { type: 'identity' },
  });
  return figure(COUNTS, `${COUNTS_NOTE} Lighter is rarer: many-, medium-, few-shot.`, chart);
}

interface ClassCell extends ClassRow {
  readonly value: number;
}

function recallsOf(rows: readonly ClassRow[], { recall }: Metrics): ClassCell[] {
  return rows.flatMap((row) => {
    const share = recall[row.index];
    return share === null || share === undefined ? [] : [{ ...row, value: 100 * share }];
  });
}

const RECALL = 'Recall';

function recallFigure(rows: readonly ClassRow[], shown: readonly JudgedLook[]): Html {
  const series = shown.map(({ look, metrics }) => ({ look, cells: recallsOf(rows, metrics) }));
  const before = new Map(series.find(({ look }) => look === BEFORE)?.cells.map(({ key, value }) => [key, value]));
  const main = series.find(({ look }) => look !== BEFORE);
  const moved = (main?.cells ?? []).flatMap((cell) => {
    const from = before.get(cell.key);
    return from === undefined ? [] : [{ ...cell, from }];
  });
  const chart = draw('Recall of each class, before and after', {
    ...byClass(rows, { grid: true, label: '%', ticks: 5, nice: true, tickSize: 0, inset: 6 }),
    marks: [
      Plot.link(moved, {
        x1: 'from',
        x2: 'value',
        y: 'key',
        stroke: main?.look.color ?? 'none',
        strokeWidth: 5,
        strokeOpacity: 0.22,
        strokeLinecap: 'round',
      }),
      ...series.toReversed().map(({ look, cells }) => Plot.dot(cells, { x: 'value', y: 'key', ...dotOf(look) })),
    ],
  });
  return figure(RECALL, 'Share of each class that is found, %. The bar runs from before to after.', chart);
}

function dotOf(look: Look) {
  const title = ({ name, value }: ClassCell): string => `${name}, ${look.name}: ${value.toFixed(1)} %`;
  if (look === BEFORE) return { r: 4, fill: 'var(--paper)', stroke: look.color, strokeWidth: 2, title } as const;
  return { r: 5, symbol: look.symbol, fill: look.color, stroke: 'var(--paper)', strokeWidth: 1, title } as const;
}

function gainsOf(rows: readonly ClassRow[], main: JudgedLook, rival: JudgedLook): ClassCell[] {
  const other = new Map(recallsOf(rows, rival.metrics).map(({ key, value }) => [key, value]));
  return recallsOf(rows, main.metrics).flatMap((cell) => {
    const value = other.get(cell.key);
    return value === undefined ? [] : [{ ...cell, value: cell.value - value }];
  });
}

function gainTitle(main: JudgedLook, rival: JudgedLook): string {
  return `${main.look.name} against ${rival.look === BEFORE ? 'before' : rival.look.name}`;
}

function gainFigure(rows: readonly ClassRow[], main: JudgedLook, rival: JudgedLook): Html {
  const gains = gainsOf(rows, main, rival);
  const reach = Math.max(1, ...gains.map(({ value }) => Math.abs(value)));
  const chart = draw(`Difference of recalls: ${gainTitle(main, rival)}`, {
    ...byClass(rows, {
      grid: true,
      label: 'points',
      ticks: 5,
      domain: [-1.15 * reach, 1.15 * reach],
      tickFormat: signedTick,
      tickSize: 0,
    }),
    marks: [
      Plot.barX(gains, {
        x: 'value',
        y: 'key',
        fill: ({ value }: ClassCell) => (value >= 0 ? main.look.color : rival.look.color),
        insetTop: 3,
        insetBottom: 3,
        title: ({ name, value }: ClassCell) => `${name}: ${points(value / 100, 0)} points`,
      }),
      Plot.ruleX([0], { stroke: 'var(--ink)', strokeOpacity: 0.5 }),
    ],
    color: { type: 'identity' },
  });
  return figure(
    gainTitle(main, rival),
    `Difference in recall, in points: to the right, ${main.look.name} finds more.`,
    chart,
  );
}

function countProfile(rows: readonly ClassRow[]): Html {
  const chart = profile(
    'Training samples by rank',
    rows.length,
    [{ color: 'var(--ink)', dash: 'none', values: rows.map(({ count: n }) => n) }],
    { label: 'samples', isLog: true },
  );
  return figure(COUNTS, `${COUNTS_NOTE} Logarithmic.`, chart);
}

function byRank(rows: readonly ClassRow[], cells: readonly ClassCell[]): (number | null)[] {
  const values = new Map(cells.map(({ key, value }) => [key, value]));
  return rows.map(({ key }) => values.get(key) ?? null);
}

function recallProfile(rows: readonly ClassRow[], shown: readonly JudgedLook[]): Html {
  const series = shown.map(({ look, metrics }) => ({ ...look, values: byRank(rows, recallsOf(rows, metrics)) }));
  const chart = profile('Recall by rank, before and after', rows.length, series, { label: '%' });
  return figure(RECALL, 'Share of each class that is found, %: one dot per class; lines average neighbours.', chart);
}

function gainProfile(rows: readonly ClassRow[], main: JudgedLook, rival: JudgedLook): Html {
  const series = [{ ...main.look, values: byRank(rows, gainsOf(rows, main, rival)) }];
  const chart = profile(`Difference in recall by rank: ${gainTitle(main, rival)}`, rows.length, series, {
    label: 'points',
    zero: true,
  });
  return figure(
    gainTitle(main, rival),
    `Difference in recall, in points: above 0, ${main.look.name} finds more.`,
    chart,
  );
}

const EXTREMES = 8;

function extremes(rows: readonly ClassRow[], main: JudgedLook, rival: JudgedLook): Html {
  const gains = gainsOf(rows, main, rival).sort((a, b) => b.value - a.value);
  const listed = (title: string, cells: readonly ClassCell[]): Html =>
    table(
      title,
      [{ head: 'class', isText: true }, { head: 'training samples' }, { head: 'points' }],
      cells.map(({ name, count: n, value }) => [name, count(n), points(value / 100, 0)]),
    );
  const title = gainTitle(main, rival);
  return html`<div class="grid two">${listed(`${title}: largest gains`, gains.slice(0, EXTREMES))}${listed(`${title}: largest losses`, gains.slice(-EXTREMES).reverse())}</div>`;
}

/** Rows of the table of all classes. */
const MAX_TABLE = 2000;

function classTable({ classes: all }: Report, rows: readonly ClassRow[], judged: readonly JudgedLook[]): Html {
  const heads = [
    { head: 'class', isText: true },
    { head: 'training samples' },
    { head: 'group', isText: true },
    ...judged.map(({ look }) => ({ head: `${look.name} %` })),
  ];
  const left = all.length - MAX_TABLE;
  const caption =
    left > 0
      ? `Recall by class: the ${count(MAX_TABLE)} most frequent; metrics.jsonl has the other ${count(left)}`
      : 'Recall by class';
  const body = rows
    .slice(0, MAX_TABLE)
    .map(({ index, name, count: n, group }) => [
      name,
      count(n),
      group,
      ...judged.map(({ metrics }) => percent(metrics.recall[index])),
    ]);
  return table(caption, heads, body);
}
