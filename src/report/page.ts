import { classes } from './classes.ts';
import { confusion } from './confusion.ts';
import { curves } from './curves.ts';
import { details } from './details.ts';
import { Html, html, visible } from './html.ts';
import { influence } from './influence.ts';
import { LIVE_SCRIPT } from './livePage.ts';
import { precision } from './precision.ts';
import type { Report } from './report.ts';
import { STYLE } from './style.ts';
import { summary } from './summary.ts';

/** Nothing is loaded and nothing runs, so names and pictures in the page can do no harm. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

const PLACES = [
  ['precision', 'Precision and recall'],
  ['training', 'Training'],
  ['classes', 'Classes'],
  ['confusion', 'Confusion'],
  ['influence', 'Influence'],
  ['details', 'Data and settings'],
] as const;

/** The page of a run: one self-contained HTML document without scripts. */
export function renderReport(report: Report): string {
  const meta = html`<meta http-equiv="Content-Security-Policy" content="${POLICY}">`;
  return documentOf(report, meta, bannerOf(report), FOOTER);
}

const FOOTER = html`The figures are those of metrics.jsonl and checkpoint.json beside this page, where the run keeps them.`;

/** Parts of a page that change during training, by place. */
export interface LiveParts {
  readonly sections: string;
  readonly links: string;
}

export function renderLiveParts(report: Report): LiveParts {
  return { sections: sectionsOf(report).markup, links: linksOf(report).markup };
}

/** The page of a run in progress: its script inserts new content. */
export function renderLive(report: Report, progress: string): string {
  const banner = html`<p class="banner" id="progress">${progress}</p>`;
  const script = new Html(`<script>${LIVE_SCRIPT}</script>`);
  return documentOf(
    report,
    null,
    banner,
    html`The figures are those of metrics.jsonl in the folder of the run.${script}`,
  );
}

function documentOf(report: Report, meta: Html | null, banner: Html | null, footer: Html): string {
  const title = visible(`${report.model}, fine-tuned with ${report.arms[0]?.name ?? ''}`);
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8">${meta}
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark"><meta name="robots" content="noindex">
<title>${title}</title><style>${new Html(STYLE)}</style></head>
<body><header><p class="eyebrow">lossgraft · fine-tuning</p><h1>${title}</h1>
<nav aria-label="Sections" id="links">${linksOf(report)}</nav>${banner}</header>
<main id="sections">${sectionsOf(report)}</main>
<footer>${footer}</footer></body></html>
`;
  return page.markup;
}

function linksOf({ curves: found }: Report): Html {
  const places = PLACES.filter(([id]) => id !== 'precision' || found !== null);
  return html`${places.map(([id, name]) => html`<a href="#${id}">${name}</a>`)}`;
}

function sectionsOf(report: Report): Html {
  return html`${summary(report)}${precision(report)}${curves(report)}${classes(report)}${confusion(report)}${influence(report)}${details(report)}`;
}

function bannerOf({ isDone, error }: Report): Html | null {
  if (isDone) return null;
  return html`<p class="banner" role="note">${error && html`<b>Ended by an error.</b> ${error} `}This run is not finished. Resume it to continue; the page is then updated.</p>`;
}
