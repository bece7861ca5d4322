import * as Plot from '@observablehq/plot';
import { MAX_CONFUSION, type Metrics, type Mistake, mistakesOf } from '../records/metrics.ts';
import { cards, mistakeCard } from './cards.ts';
import { type ClassRow, rowsOf } from './classes.ts';
import { draw, WIDTH } from './draw.ts';
import { count, counted, percent } from './format.ts';
import { type Html, html } from './html.ts';
import { classLabels, figure, folded, type JudgedLook, judgedOf, labelMargin, subjectOf, table } from './look.ts';
import type { Report } from './report.ts';

/** Up to this many classes, cells show their numbers. */
const MAX_NUMBERS = 14;
/** Up to this many, rows and columns have names. */
const MAX_NAMED = 20;
/** Up to this many, each loss has its own matrix. */
const MAX_COMPARED = 40;
/** The most cells drawn: beyond these, the smallest are left out. */
const MAX_CELLS = 4000;
/** Matrices side by side: the given model, the loss, and the baseline. Those of others are folded. */
const MAX_MATRICES = 3;
const MAX_FOLDED = 9;
const MISTAKES = 8;

/** The confusion of classes. */
export function confusion(report: Report): Html {
  const judged = judgedOf(report);
  const rows = rowsOf(report);
  const isFew = rows.length <= MAX_COMPARED;
  const subject = subjectOf(report, judged);
  const main = subject ? [subject] : [];
  const order = [...judged.slice(0, 1), ...main, ...judged.slice(1).filter((one) => one !== subject)];
  const shown = isFew ? order.slice(0, MAX_MATRICES) : main.length > 0 ? main : judged.slice(0, 1);
  const others = isFew ? order.slice(MAX_MATRICES, MAX_MATRICES + MAX_FOLDED) : [];
  const n = count(rows.length);
  if (judged.some(({ metrics }) => metrics.thresholds)) {
    return html`<section id="confusion"><h2>Confusion</h2><p class="lede">A sample may have several labels, so none is taken for another: the classes above have the precision and recall of each.</p></section>`;
  }
  const lede =
    rows.length > MAX_CONFUSION
      ? `A matrix of ${n} × ${n} classes is too large to keep; these are the most frequent mistakes.`
      : 'Rows are true classes, the most frequent on top; columns are predictions. Blue is right, red is wrong; the fuller a cell, the larger its share of the row.';
  const further = html`<div class="grid">${matrices(others, rows)}</div>`;
  return html`<section id="confusion"><h2>Confusion</h2><p class="lede">${lede}</p>
<div class="grid">${matrices(shown, rows)}${!isFew && mistakesTables(shown, rows)}</div>
${isFew && html`<div class="grid">${mistakesTables(shown, rows)}</div>`}
${others.length > 0 && folded(`${counted(others.length, 'further loss')}`, further)}
${surest(report, subject)}</section>`;
}

/** Samples shown without unfolding. */
const SHOWN = 6;

function surest({ mistakes, classes, judgedOn }: Report, subject: JudgedLook | undefined): Html | null {
  if (mistakes.length === 0 || subject === undefined) return null;
  const all = mistakes.map((sample) => mistakeCard(sample, (k) => classes[k]?.name ?? String(k)));
  return html`<h3 class="wide">The surest mistakes</h3>
<p class="note">Of <b>${subject.look.name}</b> on ${judgedOn} data, with the probabilities of both classes. Some labels may be wrong, not the model.</p>
${cards(all, SHOWN)}`;
}

function matrices(shown: readonly JudgedLook[], rows: readonly ClassRow[]): Html[] {
  return shown.flatMap((one) => (one.metrics.confusion ? [matrix(one, one.metrics.confusion, rows)] : []));
}

interface Cell {
  readonly label: string;
  readonly predicted: string;
  readonly samples: number;
  readonly share: number;
  readonly isRight: boolean;
  readonly title: string;
}

function cellsOf(counts: readonly (readonly number[])[], rows: readonly ClassRow[]): Cell[] {
  const cells = rows.flatMap((row) => {
    const own = counts[row.index] ?? [];
    const total = own.reduce((sum, n) => sum + n, 0);
    return rows.flatMap((column): Cell[] => {
      const samples = own[column.index] ?? 0;
      if (samples === 0) return [];
      const isRight = row === column;
      const title = isRight
        ? `${row.name}: ${samples} of ${total} right`
        : `${row.name} taken for ${column.name}: ${samples} of ${total}`;
      return [{ label: row.key, predicted: column.key, samples, share: samples / total, isRight, title }];
    });
  });
  return cells.length <= MAX_CELLS ? cells : cells.sort((a, b) => b.samples - a.samples).slice(0, MAX_CELLS);
}

function matrix(
  { look, metrics }: JudgedLook,
  counts: readonly (readonly number[])[],
  rows: readonly ClassRow[],
): Html {
  const cells = cellsOf(counts, rows);
  const isNamed = rows.length <= MAX_NAMED;
  const names = classLabels(rows);
  const margin = isNamed ? labelMargin(names.values()) : 20;
  const isNarrow = isNamed && [...names.values()].every((name) => [...name].length <= 2);
  const band = {
    domain: rows.map(({ key }) => key),
    label: null,
    tickSize: 0,
    padding: isNamed ? 0.06 : 0,
    tickFormat: (key: string) => names.get(key) ?? key,
  } as const;
  const top = isNarrow || !isNamed ? 22 : margin;
  const side = WIDTH - margin - 4;
  const hue = ({ isRight }: Cell): string => (isRight ? 'var(--right)' : 'var(--wrong)');
  const chart = draw(`Confusion matrix, ${look.name}`, {
    height: side + top + 4,
    marginLeft: margin,
    marginTop: top,
    marginRight: 4,
    marginBottom: 4,
    x: { ...band, axis: isNamed ? 'top' : null, tickRotate: isNarrow ? 0 : -90 },
    y: { ...band, axis: isNamed ? 'left' : null },
    color: { type: 'identity' },
    opacity: { type: 'identity' },
    marks: [
      Plot.frame({ stroke: 'var(--line)' }),
      Plot.cell(cells, {
        x: 'predicted',
        y: 'label',
        fill: hue,
        fillOpacity: ({ share }: Cell) => (isNamed ? 0.1 : 0.4) + (isNamed ? 0.9 : 0.6) * share,
        ...(isNamed ? { rx: 2 } : {}),
        title: 'title',
      }),
      ...(rows.length <= MAX_NUMBERS ? [numbers(cells)] : []),
    ],
  });
  const left = counts.flat().filter((n) => n > 0).length - cells.length;
  const note =
    left > 0
      ? `The ${count(MAX_CELLS)} largest cells; ${count(left)} smaller ones are omitted.`
      : `${percent(metrics.accuracy)} % of ${count(metrics.samples)} samples are right.`;
  return figure(
    look.name,
    note,
    chart,
    rows.length <= MAX_COMPARED ? folded('As a table', matrixTable(look.name, counts, rows)) : undefined,
  );
}

function numbers(cells: readonly Cell[]): Plot.Markish {
  return Plot.text(cells, {
    x: 'predicted',
    y: 'label',
    text: ({ samples }: Cell) => String(samples),
    fill: ({ share }: Cell) => (share > 0.55 ? 'var(--on-fill)' : 'var(--ink)'),
    pointerEvents: 'none',
  });
}

function matrixTable(name: string, counts: readonly (readonly number[])[], rows: readonly ClassRow[]): Html {
  const heads = [{ head: 'true class', isText: true }, ...rows.map((row) => ({ head: row.name }))];
  return table(
    `Confusion matrix, ${name}`,
    heads,
    rows.map((row) => [row.name, ...rows.map((column) => count(counts[row.index]?.[column.index] ?? 0))]),
  );
}

function mistakesTables(shown: readonly JudgedLook[], rows: readonly ClassRow[]): Html[] {
  const names = new Map(rows.map(({ index, name }) => [index, name]));
  const heads = [{ head: 'true class', isText: true }, { head: 'taken for', isText: true }, { head: 'samples' }];
  return shown.flatMap(({ look, metrics }) => {
    const mistakes = mostFrequent(metrics);
    if (mistakes.length === 0) return [];
    const body = mistakes.map(({ label, predicted, samples }) => [
      names.get(label) ?? String(label),
      names.get(predicted) ?? String(predicted),
      count(samples),
    ]);
    return [table(`Most frequent mistakes, ${look.name}`, heads, body)];
  });
}

function mostFrequent({ confusion: counts, mistakes }: Metrics): readonly Mistake[] {
  return counts ? mistakesOf(counts, MISTAKES) : (mistakes ?? []).slice(0, MISTAKES);
}
