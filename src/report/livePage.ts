import { createHash } from 'node:crypto';

/**
 * The script of a live page during training: it inserts new content and keeps unfolded parts unfolded. It runs in the browser, so it is
 * plain JavaScript.
 */
export const LIVE_SCRIPT: string = `
const source = new EventSource('events');
const place = (id) => document.getElementById(id);
const opened = () => [...document.querySelectorAll('details[open] > summary')].map((one) => one.textContent);
source.addEventListener('page', ({ data }) => {
  const parts = JSON.parse(data);
  const open = new Set(opened());
  for (const [id, markup] of Object.entries(parts)) if (place(id)) place(id).innerHTML = markup;
  for (const one of document.querySelectorAll('details > summary')) one.parentElement.open = open.has(one.textContent);
});
source.addEventListener('progress', ({ data }) => { place('progress').textContent = JSON.parse(data); });
const ended = (text) => { source.close(); place('progress').textContent = text; };
source.addEventListener('end', () => ended('The run has ended: this page no longer changes, and is gone when you leave it.'));
source.addEventListener('error', () => ended('The run is no longer there: it has ended.'));
`;

const hash = createHash('sha256').update(LIVE_SCRIPT).digest('base64');

/** Only this script runs, and it contacts only this server. */
export const LIVE_POLICY: string = `default-src 'none'; script-src 'sha256-${hash}'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'`;
