import * as Plot from '@observablehq/plot';
import type { Influence } from '../records/influence.ts';
import { logAxis, tick } from './axis.ts';
import { cards, influenceCard } from './cards.ts';
import { byClass, type ClassRow, MAX_ROWS, rowsOf } from './classes.ts';
import { draw } from './draw.ts';
import { count, counted, number } from './format.ts';
import { type Html, html } from './html.ts';
import { figure, folded, judgedOf, table, takenOf } from './look.ts';
import { profile } from './profile.ts';
import type { Report } from './report.ts';

interface Panel {
  readonly key: 'influence' | 'factor' | 'loss';
  readonly title: string;
  readonly note: string;
}

const PANELS: readonly Panel[] = [
  {
    key: 'influence',
    title: 'Influence',
    note: 'Mean per class: how strongly its samples pull at the decision boundary.',
  },
  {
    key: 'factor',
    title: 'IB factor',
    note: 'Mean of α / (influence + ε): what the IB loss multiplies the cross-entropy by.',
  },
  { key: 'loss', title: 'Cross-entropy', note: 'Mean over a class’s training samples, unweighted.' },
];

/** Which training samples the tuned model still struggles with, by class and one by one. */
export function influence(report: Report): Html {
  const found = report.influence;
  if (found === null)
    return html`<section id="influence"><h2>Influence</h2><p class="lede">Measured when the run is done.</p></section>`;
  if ('missing' in found) {
    return html`<section id="influence"><h2>Influence</h2><p class="lede">Not measured: influence needs the features that the last linear layer reads, and lossgraft did not find them in this model.</p><p class="note">${found.missing}</p></section>`;
  }
  const rows = rowsOf(report).filter(({ index }) => found.classes[index]);
  const some =
    found.samples < found.of
      ? html` From ${count(found.samples)} of ${count(found.of)} samples: all of the rare classes and equally many of the others.`
      : html` All ${counted(found.of, 'sample')} were looked at.`;
  const subject = takenOf(report, judgedOf(report))?.look.name ?? report.arms[0]?.name;
  return html`<section id="influence"><h2>Influence</h2>
<p class="lede">Which training samples pull hardest at the last layer: chiefly those that the model has not learned, such as mislabelled ones.</p>
<details class="whole"><summary>Influence by class, and the ${report.samples.length} strongest samples</summary>
<p class="note">Of training samples on <b>${subject}</b>’s model: |softmax − one-hot|₁ · |features|₁, the L1 norm of what a sample’s cross-entropy sends to the last layer’s weights. Samples that are learnt have little.${some} α = ${number(found.alpha)}, ε = ${number(found.epsilon)}.</p>
<div class="grid">${PANELS.map((panel) => panelFigure(panel, found, rows))}</div>
${folded('By class, as a table', classTable(found, rows))}
${samples(report)}</details></section>`;
}

/** Above this ratio a linear axis would show only the largest. */
const LOG_FROM = 50;

function panelFigure({ key, title, note }: Panel, { classes }: Influence, rows: readonly ClassRow[]): Html {
  const cells = rows.map((row) => ({ ...row, value: classes[row.index]?.[key] ?? 0 }));
  const values = cells.map(({ value }) => value).filter((value) => value > 0);
  const isLog = values.length === cells.length && Math.max(...values) / Math.min(...values) > LOG_FROM;
  const label = `${title} by class`;
  const text = `${note}${isLog ? ' Logarithmic.' : ''}`;
  if (rows.length > MAX_ROWS) {
    const series = [{ color: 'var(--main)', dash: 'none', values: cells.map(({ value }) => value) }];
    return figure(title, text, profile(label, rows.length, series, { label: title, isLog }));
  }
  const tip = ({ name, value }: (typeof cells)[number]): string => `${name}: ${number(value)}`;
  const at = { x: 'value', y: 'key', title: tip } as const;
  const scale = {
    grid: true,
    ticks: 4,
    nice: true,
    label: null,
    tickSize: 0,
    ...(isLog ? logAxis(values) : { tickFormat: tick }),
  } as const;
  const marks = isLog
    ? [Plot.dot(cells, { ...at, r: 5, fill: 'var(--main)', stroke: 'var(--paper)' })]
    : [Plot.barX(cells, { ...at, fill: 'var(--main)', fillOpacity: 0.85, insetTop: 3, insetBottom: 3 })];
  return figure(title, text, draw(label, { ...byClass(rows, scale), marks }));
}

function classTable({ classes }: Influence, rows: readonly ClassRow[]): Html {
  const heads = [
    { head: 'class', isText: true },
    ...['samples', 'influence', 'IB factor', 'cross-entropy'].map((head) => ({ head })),
  ];
  const body = rows.slice(0, MAX_TABLE).map(({ index, name }) => {
    const found = classes[index];
    return [name, number(found?.samples), number(found?.influence), number(found?.factor), number(found?.loss)];
  });
  const left = rows.length - body.length;
  return table(
    left > 0
      ? `Means by class: the ${count(MAX_TABLE)} most frequent; the other ${count(left)} are left out`
      : 'Means by class',
    heads,
    body,
  );
}

const MAX_TABLE = 2000;

/** Samples shown without unfolding. */
const SHOWN = 6;

function samples({ samples: shown, classes, influence: found }: Report): Html | null {
  if (shown.length === 0) return null;
  const nameOf = (index: number): string => classes[index]?.name ?? String(index);
  const of = found && 'samples' in found ? found.samples : shown.length;
  const all = shown.map((sample) => influenceCard(sample, nameOf));
  return html`<h3 class="wide">The most influential samples</h3>
<p class="note">${shown.length} of ${count(of)}. Mislabelled and odd samples gather here: worth a look. Images are as the model sees them; of a table’s row the cells come first that few training samples have.</p>
${cards(all, SHOWN)}`;
}
