import { classes } from './classes.ts';
import { confusion } from './confusion.ts';
import { curves } from './curves.ts';
import { details } from './details.ts';
import { Html, html, visible } from './html.ts';
import { influence } from './influence.ts';
import { precision } from './precision.ts';
import type { Report } from './report.ts';
import { STYLE } from './style.ts';
import { summary } from './summary.ts';

/** Nothing is loaded and nothing runs: names and pictures in the page can do no harm. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

const PLACES = [
  ['precision', 'Precision and recall'],
  ['training', 'Training'],
  ['classes', 'Classes'],
  ['confusion', 'Confusion'],
  ['influence', 'Influence'],
  ['details', 'Data and settings'],
] as const;

/** The page of a run: one HTML document without scripts, in which everything is. */
export function renderReport(report: Report): string {
  const main = report.arms[0]?.name ?? '';
  const title = visible(`${report.model}, fine-tuned with ${main}`);
  const banner = report.isDone
    ? null
    : html`<p class="banner" role="note">${report.error && html`<b>Ended by an error.</b> ${report.error} `}This run is not finished. Resume it to continue; the page is then updated.</p>`;
  const places = PLACES.filter(([id]) => id !== 'precision' || report.curves !== null);
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">
<title>${title}</title><style>${new Html(STYLE)}</style></head>
<body><header><p class="eyebrow">lossgraft · fine-tuning</p><h1>${title}</h1>
<nav aria-label="Sections">${places.map(([id, name]) => html`<a href="#${id}">${name}</a>`)}</nav>${banner}</header>
<main>${summary(report)}${precision(report)}${curves(report)}${classes(report)}${confusion(report)}${influence(report)}${details(report)}</main>
<footer>The figures are those of metrics.jsonl and checkpoint.json beside this page, where the run keeps them.</footer></body></html>
`;
  return page.markup;
}
