import * as Plot from '@observablehq/plot';
import type { Influence } from '../records/influence.ts';
import { logAxis, tick } from './axis.ts';
import { byClass, MAX_ROWS, type Row, rowsOf } from './classes.ts';
import { draw } from './draw.ts';
import { count, counted, number } from './format.ts';
import { type Html, html } from './html.ts';
import { figure, folded, table } from './look.ts';
import { profile } from './profile.ts';
import type { Report, ReportSample } from './report.ts';

interface Panel {
  readonly key: 'influence' | 'factor' | 'loss';
  readonly title: string;
  readonly note: string;
}

const PANELS: readonly Panel[] = [
  {
    key: 'influence',
    title: 'Influence',
    note: 'Mean of a class: how hard its samples pull at the decision boundary.',
  },
  {
    key: 'factor',
    title: 'IB factor',
    note: 'Mean of α / (influence + ε): what the IB loss multiplies the cross-entropy by.',
  },
  { key: 'loss', title: 'Cross-entropy', note: 'Mean of a class’s training samples, unweighted.' },
];

/** Which training samples the tuned model still struggles with, by class and one by one. */
export function influence(report: Report): Html {
  const found = report.influence;
  if (found === null)
    return html`<section id="influence"><h2>Influence</h2><p class="lede">Measured when the run is done.</p></section>`;
  if ('missing' in found) {
    return html`<section id="influence"><h2>Influence</h2><p class="lede">Not measured: influence is told from the features that the last linear layer reads, and this model does not show them.</p><p class="note">${found.missing}</p></section>`;
  }
  const rows = rowsOf(report).filter(({ index }) => found.classes[index]);
  const some =
    found.samples < found.of
      ? html` Looked at: ${count(found.samples)} of ${count(found.of)}, all of the rare classes and equally many of the others.`
      : html` All ${counted(found.of, 'sample')} were looked at.`;
  return html`<section id="influence"><h2>Influence</h2>
<p class="lede">Of training samples on <b>${report.arms[0]?.name}</b>’s model: |softmax − one-hot|₁ · |features|₁, the L1 norm of what a sample’s cross-entropy sends to the last layer’s weights. Samples that are learnt have little.${some} α = ${number(found.alpha)}, ε = ${number(found.epsilon)}.</p>
<div class="grid">${PANELS.map((panel) => panelFigure(panel, found, rows))}</div>
${folded('By class, as a table', classTable(found, rows))}
${samples(report)}</section>`;
}

/** Above this ratio a linear axis would show only the largest. */
const LOG_FROM = 50;

function panelFigure({ key, title, note }: Panel, { classes }: Influence, rows: readonly Row[]): Html {
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

function classTable({ classes }: Influence, rows: readonly Row[]): Html {
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

function samples({ samples: shown, classes, influence: found }: Report): Html | null {
  if (shown.length === 0) return null;
  const nameOf = (index: number): string => classes[index]?.name ?? String(index);
  const of = found && 'samples' in found ? found.samples : shown.length;
  return html`<h3 class="wide">The most influential samples</h3>
<p class="note">${shown.length} of ${count(of)}. Mislabelled and odd samples gather here: worth a look. Images are as the model sees them.</p>
<ol class="samples">${shown.map((sample) => card(sample, nameOf))}</ol>`;
}

function card(
  { preview, where, label, predicted, influence: pull, factor, loss }: ReportSample,
  nameOf: (index: number) => string,
): Html {
  const isRight = label === predicted;
  const picture =
    preview.kind === 'image'
      ? html`<img src="${preview.uri}" width="${preview.width}" height="${preview.height}" alt="${where}" class="${Math.max(preview.width, preview.height) <= 64 ? 'pixels' : 'photo'}">`
      : html`<p class="text">${preview.text}</p>`;
  const verdict = isRight
    ? html`<span class="ok">✓</span> ${nameOf(label)}`
    : html`<span class="bad">✗</span> ${nameOf(label)} <span class="taken">taken for</span> ${nameOf(predicted)}`;
  return html`<li><div class="picture">${picture}</div><p class="what">${verdict}</p><p class="where" title="${where}">${where}</p>
<dl><dt>influence</dt><dd>${number(pull)}</dd><dt>IB factor</dt><dd>${number(factor)}</dd><dt>loss</dt><dd>${number(loss)}</dd></dl></li>\n`;
}
