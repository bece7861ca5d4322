import { isRecord } from '../isRecord.ts';
import type { Group } from '../metrics/groups.ts';
import { rowsOf } from './classes.ts';
import { count, number } from './format.ts';
import { type Html, html, shortened } from './html.ts';
import { table } from './look.ts';
import type { Report, ReportOrigin } from './report.ts';

/** Data, settings, versions, and the run's notes. */
export function details(report: Report): Html {
  const { settings, versions, notes, arms } = report;
  const alphas = arms.flatMap(({ name, alpha }) =>
    alpha === null ? [] : [[`α of ${name}, calibrated`, number(alpha)] as const],
  );
  return html`<section id="details"><h2>Data and settings</h2>
${report.origin && commandFigure(report.origin)}<div class="grid two">${dataTable(report)}<figure><figcaption><h3>Versions</h3></figcaption>${list(Object.entries(versions))}</figure></div>
<figure><figcaption><h3>Settings</h3><p>All that made this run; a run with the same ends with the same weights on the same machine.</p></figcaption><div class="columns">${groups({ ...settings, ...Object.fromEntries(alphas) })}</div></figure>
${notes.length > 0 && html`<figure><figcaption><h3>Notes</h3></figcaption><ul class="notes">${notes.map((note) => html`<li>${note}</li>`)}</ul></figure>`}</section>`;
}

/** The command lines that made the run and repeat it. */
function commandFigure({ command, workingFolder, repeat }: ReportOrigin): Html {
  const lines = [
    ...(command === null ? [] : [command]),
    ...(repeat === null ? [] : [`lossgraft train --config ${quoted(repeat)} -o again.onnx`]),
  ];
  const note =
    repeat === null
      ? 'A program gave what no command line can say: that program repeats the run.'
      : `In ${workingFolder}. ${command === null ? 'A program made this run; this line repeats it' : 'The first line made this run, the second repeats it'}, with the same data.`;
  return html`<figure><figcaption><h3>The command</h3><p>${note}</p></figcaption>${lines.map((line) => html`<pre class="command" tabindex="0"><code>${line}</code></pre>`)}</figure>`;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

function dataTable(report: Report): Html {
  const { sizes, classes } = report;
  const rows = rowsOf(report);
  const group = (name: Group): readonly string[] => {
    const own = rows.filter((row) => row.group === name);
    return [`${name}-shot classes`, count(own.length), count(own.reduce((sum, { count: n }) => sum + n, 0))];
  };
  const parts = [
    ...(['many', 'medium', 'few'] as const).map(group),
    ['training, all', count(classes.length), count(sizes.train)],
    ['validation', '', count(sizes.validation)],
    ...(sizes.test === null ? [] : [['test', '', count(sizes.test)]]),
  ];
  return html`<figure><figcaption><h3>Data</h3></figcaption>${table('Samples', [{ head: 'part', isText: true }, { head: 'classes' }, { head: 'samples' }], parts)}</figure>`;
}

function list(entries: readonly (readonly [string, string])[]): Html {
  return html`<dl class="settings">${entries.map(([key, value]) => html`<div><dt>${key}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** Related settings are grouped: each object under its own name. */
function groups(settings: Readonly<Record<string, unknown>>): Html[] {
  const entries = Object.entries(settings);
  const plain = entries
    .filter(([, value]) => !isRecord(value))
    .map(([key, value]) => [words(key), shown(value)] as const);
  const own = entries.flatMap(([key, value]) =>
    isRecord(value) ? [{ name: words(key), entries: flattened(value) }] : [],
  );
  return [list(plain), ...own.map(({ name, entries: inner }) => html`<h4>${name}</h4>${list(inner)}`)];
}

function flattened(settings: Readonly<Record<string, unknown>>, prefix = ''): [string, string][] {
  return Object.entries(settings).flatMap(([key, value]): [string, string][] => {
    const name = `${prefix}${words(key)}`;
    return isRecord(value) ? flattened(value, `${name}: `) : [[name, shown(value)]];
  });
}

/** `ibRateFactor` → `ib rate factor` */
function words(key: string): string {
  return key.replace(/[a-z][A-Z]/g, (pair) => `${pair[0]} ${pair[1]?.toLowerCase()}`);
}

const SHOWN_ITEMS = 16;
const SHOWN_CHARACTERS = 400;

function shown(value: unknown): string {
  if (value === null || value === undefined) return 'none';
  if (!Array.isArray(value))
    return shortened(
      typeof value === 'number' ? String(Number(value.toPrecision(8))) : String(value),
      SHOWN_CHARACTERS,
    );
  const items = value
    .slice(0, SHOWN_ITEMS)
    .map((item) => (typeof item === 'number' ? String(Number(item.toPrecision(4))) : JSON.stringify(item)));
  return shortened(
    `${items.join(', ')}${value.length > SHOWN_ITEMS ? `, … (${value.length})` : ''}` || 'none',
    SHOWN_CHARACTERS,
  );
}
