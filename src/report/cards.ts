import { number, percent } from './format.ts';
import { type Html, html } from './html.ts';
import { folded } from './look.ts';
import { RIGHT, WRONG } from './marks.ts';
import type { Preview, PreviewCell, ReportMistake, ReportSample } from './report.ts';

type NameOf = (index: number) => string;

/** Samples in rows of cards: the first ones are shown, the others on demand. */
export function cards(all: readonly Html[], shown: number): Html {
  const list = (some: readonly Html[]): Html => html`<ol class="samples">${some}</ol>`;
  const further = all.slice(shown);
  return html`${list(all.slice(0, shown))}${further.length > 0 && folded(`${further.length} more`, list(further))}`;
}

/** A training sample and its influence. */
export function influenceCard(sample: ReportSample, nameOf: NameOf): Html {
  const { influence, factor, loss } = sample;
  return card(sample, nameOf, [
    ['influence', number(influence)],
    ['IB factor', number(factor)],
    ['loss', number(loss)],
  ]);
}

/** A misclassified sample. */
export function mistakeCard(sample: ReportMistake, nameOf: NameOf): Html {
  const { label, predicted, probability, truth } = sample;
  return card(sample, nameOf, [
    [nameOf(predicted), `${percent(probability)} %`],
    [nameOf(label), `${percent(truth)} %`],
  ]);
}

function card(
  { preview, where, label, predicted }: ReportSample | ReportMistake,
  nameOf: NameOf,
  facts: readonly (readonly [string, string])[],
): Html {
  const verdict =
    label === predicted
      ? html`${RIGHT} ${nameOf(label)}`
      : html`${WRONG} ${nameOf(label)} <span class="taken">taken for</span> ${nameOf(predicted)}`;
  return html`<li class="${preview.kind}">${shownAs(preview, where)}<p class="what">${verdict}</p><p class="where" title="${where}">${where}</p>
<dl>${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></li>\n`;
}

/** Images up to this size are shown pixel by pixel. */
const SMALL = 64;

function shownAs(preview: Preview, where: string): Html {
  if (preview.kind === 'cells') return cellsTable(preview, where);
  if (preview.kind === 'text') return html`<div class="picture"><p class="text" tabindex="0">${preview.text}</p></div>`;
  const { uri, width, height } = preview;
  const kind = Math.max(width, height) <= SMALL ? 'pixels' : 'photo';
  return html`<div class="picture"><img src="${uri}" width="${width}" height="${height}" alt="${where}" class="${kind}"></div>`;
}

/** Cells shown without unfolding. */
const MAX_CELLS = 6;

/** The unusual cells of a table's row, and the others on demand. */
function cellsTable({ cells, left }: Extract<Preview, { kind: 'cells' }>, where: string): Html {
  const unusual = cells.filter(({ usual }) => usual !== null);
  const first = unusual.length > 0 ? unusual.slice(0, MAX_CELLS) : cells.slice(0, MAX_CELLS);
  const others = cells.slice(first.length);
  const row = ({ column, value, usual }: PreviewCell): Html =>
    html`<tr><th scope="row">${column}</th><td>${value}${usual !== null && html`<small>usually ${usual}</small>`}</td></tr>`;
  const rows = (some: readonly PreviewCell[], caption: string): Html =>
    html`<table><caption class="unseen">${caption}</caption><tbody>${some.map(row)}</tbody></table>`;
  const rest = others.length + left;
  const missing = left > 0 && html`<p class="note">${left} cells are left out.</p>`;
  return html`<div class="cells">${unusual.length === 0 && html`<p class="note">No unusual value.</p>`}${rows(first, `${where}: ${unusual.length > 0 ? 'unusual cells' : 'cells'}`)}${rest > 0 && folded(`${rest} more cells`, html`${rows(others, `${where}: other cells`)}${missing}`)}</div>`;
}
