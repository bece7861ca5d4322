import * as Plot from '@observablehq/plot';
import type { RefitRecord } from '../records/run.ts';
import { draw } from './draw.ts';
import { type Html, html, shortened } from './html.ts';
import type { Report, ReportArm } from './report.ts';

/** The look of a compared model in every chart: colour, symbol and dashes. */
export interface Look {
  readonly name: string;
  readonly color: string;
  readonly symbol: Plot.SymbolName;
  readonly dash: string;
}

export const BEFORE: Look = { name: 'as given', color: 'var(--before)', symbol: 'circle', dash: '1 3' };

const MAIN: Omit<Look, 'name'> = { color: 'var(--main)', symbol: 'circle', dash: 'none' };
const BASELINE: Omit<Look, 'name'> = { color: 'var(--baseline)', symbol: 'diamond', dash: '7 3' };
const SYMBOLS: readonly Plot.SymbolName[] = ['square', 'triangle', 'star', 'cross', 'wye', 'hexagon'];
const DASHES = ['3 2', '9 3 2 3', '5 5', '2 2', '12 3', '4 1 1 1'] as const;
/** Colours for further losses, in the page's style. */
export const OTHERS = 6;

/** One look for each arm, in their order. */
export function looksOf(arms: readonly ReportArm[]): Look[] {
  let others = 0;
  return arms.map(({ name, isBaseline }, i) => {
    if (i === 0) return { name, ...MAIN };
    if (isBaseline) return { name, ...BASELINE };
    const n = others % OTHERS;
    others += 1;
    return { name, color: `var(--other${n + 1})`, symbol: SYMBOLS[n] ?? 'circle', dash: DASHES[n] ?? 'none' };
  });
}

/** The legend of a section's charts. */
export function legend(looks: readonly Look[]): Html {
  return html`<ul class="legend">${looks.map((look) => html`<li>${swatch(look)}${look.name}</li>`)}</ul>`;
}

/** A look's symbol as in the charts. */
export function swatch({ color, symbol, dash, name }: Look): Html {
  return draw(name, {
    width: 26,
    height: 12,
    margin: 0,
    axis: null,
    x: { domain: [0, 1], range: [1, 25] },
    y: { domain: [0, 1] },
    marks: [
      Plot.ruleY([0.5], { x1: 0, x2: 1, stroke: color, strokeWidth: 2, strokeDasharray: dash }),
      Plot.dot([0.5], { x: 0.5, y: 0.5, fill: color, symbol, r: 4 }),
    ],
  });
}

/** A model in the charts and tables of a report. */
export interface JudgedLook {
  readonly look: Look;
  readonly metrics: NonNullable<ReportArm['metrics']>;
}

const REFIT: Omit<Look, 'name'> = { color: 'var(--other1)', symbol: 'star', dash: '2 5' };
const HALF: Omit<Look, 'name'> = { color: 'var(--half)', symbol: 'triangle', dash: '8 3 2 3' };

/** The losses of a report with their looks; the given model comes first, halfway weights last. */
export function judgedOf(report: Report): JudgedLook[] {
  const looks = looksOf(report.arms);
  const arms = report.arms.flatMap(({ metrics }, i) => {
    const look = looks[i];
    return metrics && look ? [{ look, metrics }] : [];
  });
  const { before, half, refit, decision } = report;
  return [
    ...(before ? [{ look: BEFORE, metrics: before }] : []),
    ...arms,
    ...(half ? [{ look: { name: halfName(decision?.taken?.arm ?? ''), ...HALF }, metrics: half }] : []),
    ...(refit?.test ? [{ look: { name: refitName(refit), ...REFIT }, metrics: refit.test }] : []),
  ];
}

function refitName({ samples }: Pick<RefitRecord, 'samples'>): string {
  return `trained on all ${samples} samples`;
}

export function halfName(arm: string): string {
  return `${arm}, half-way`;
}

/** The subject of the page: the written model, if it is judged, or else that of the requested loss; `undefined` before it is judged. */
export function subjectOf(report: Report, judged: readonly JudgedLook[]): JudgedLook | undefined {
  const { refit } = report;
  const isRefit = ({ look }: JudgedLook): boolean => refit?.test != null && look.name === refitName(refit);
  return judged.find(isRefit) ?? takenOf(report, judged);
}

/** The weights that a run chose, or would choose first, trained without the held-out samples. */
export function takenOf(report: Report, judged: readonly JudgedLook[]): JudgedLook | undefined {
  const { taken = null } = report.decision ?? {};
  const name = taken === null ? report.arms[0]?.name : taken.share === 1 ? taken.arm : halfName(taken.arm);
  return judged.find(({ look }) => look !== BEFORE && look.name === name);
}

/** A chart with its title, and its figures on demand. */
export function figure(title: string, note: string, chart: Html, behind?: Html): Html {
  return html`<figure><figcaption><h3>${title}</h3><p>${note}</p></figcaption>${chart}${behind}</figure>`;
}

export interface ColumnHead {
  readonly head: string;
  /** Text is aligned left, numbers right. */
  readonly isText?: boolean;
}

type Cell = string | Html;

/** A table that scrolls on its own if it is wide. */
export function table(caption: string, columns: readonly ColumnHead[], rows: readonly (readonly Cell[])[]): Html {
  const cell = (content: Cell, i: number): Html => {
    const kind = columns[i]?.isText ? 'text' : 'number';
    return i === 0 ? html`<th scope="row" class="${kind}">${content}</th>` : html`<td class="${kind}">${content}</td>`;
  };
  const heads = columns.map(
    ({ head, isText }) => html`<th scope="col" class="${isText ? 'text' : 'number'}">${head}</th>`,
  );
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table><caption>${caption}</caption><thead><tr>${heads}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${row.map(cell)}</tr>\n`)}</tbody></table></div>`;
}

/** Content that unfolds on demand. */
export function folded(summary: string, content: Html): Html {
  return html`<details><summary>${summary}</summary>${content}</details>`;
}

const LABEL = 15;

/** Class names shortened to fit beside a chart; with their indices if they would otherwise coincide. */
export function classLabels(rows: readonly { readonly key: string; readonly name: string }[]): Map<string, string> {
  const cut = new Set(rows.map(({ name }) => shortened(name, LABEL)));
  const isClear = cut.size === rows.length;
  return new Map(rows.map(({ key, name }) => [key, shortened(isClear ? name : `${key} ${name}`, LABEL)]));
}

/** Room on the left for labels. */
export function labelMargin(labels: Iterable<string>): number {
  return 14 + 7.2 * Math.max(3, ...[...labels].map((label) => [...label].length));
}
