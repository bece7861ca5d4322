import * as Plot from '@observablehq/plot';
import { groupsOf } from '../metrics/groups.ts';
import type { Metrics } from '../records/metrics.ts';
import { tick } from './axis.ts';
import { draw } from './draw.ts';
import { figures } from './figures.ts';
import { counted, percent, points } from './format.ts';
import { type Html, html } from './html.ts';
import { BEFORE, figure, type JudgedLook, judgedOf, legend, subjectOf, swatch, table } from './look.ts';
import type { Report } from './report.ts';
import { triedTable, verdict } from './verdict.ts';

/** The outcome: what is written and why, a metric for each loss, and the groups of classes. */
export function summary(report: Report): Html {
  const judged = judgedOf(report);
  if (judged.length === 0) return html`<section id="result"><p class="verdict">Nothing was judged yet.</p></section>`;
  const subject = subjectOf(report, judged);
  const best = Math.max(...judged.map(({ metrics }) => metrics.balancedAccuracy));
  const tiles = judged.length > 2 && html`<ul class="tiles">${judged.map((one) => tile(one, report, subject))}</ul>`;
  return html`<section id="result"><h2 class="unseen">Result</h2>
${verdict(report, judged, subject)}${tiles}
<div class="grid two">${groupsFigure(report, judged)}<div class="stack">${resultTable(report, judged, best)}${triedTable(report)}</div></div>
${figures(report, judged)}</section>`;
}

function tile(
  { look, metrics }: JudgedLook,
  { before, arms, decision }: Report,
  subject: JudgedLook | undefined,
): Html {
  const isGiven = look === BEFORE;
  const epoch = arms.find(({ name }) => name === look.name)?.epoch;
  const place = epoch === undefined ? '' : `, epoch ${epoch ?? '–'}`;
  const delta = isGiven
    ? 'before training'
    : `${before ? `${points(metrics.balancedAccuracy, before.balancedAccuracy)} points` : 'balanced accuracy'}${place}`;
  const isWritten = look === subject?.look && decision?.taken != null;
  return html`<li class="${isWritten ? 'tile best' : 'tile'}"><span class="name">${swatch(look)}${look.name}</span>
<span class="figure">${percent(metrics.balancedAccuracy)}<small> %</small>${isWritten && html`<span class="badge">written</span>`}</span><span class="delta">${delta}</span></li>`;
}

const GROUPS = [
  { name: 'all classes', value: (metrics: Metrics) => metrics.balancedAccuracy },
  { name: 'many-shot', value: (metrics: Metrics) => metrics.many },
  { name: 'medium-shot', value: (metrics: Metrics) => metrics.medium },
  { name: 'few-shot', value: (metrics: Metrics) => metrics.few },
] as const;

function groupsFigure({ classes }: Report, judged: readonly JudgedLook[]): Html {
  const cells = judged.flatMap(({ look, metrics }) =>
    GROUPS.flatMap(({ name, value }) => {
      const share = value(metrics);
      return share === null ? [] : [{ group: name, look, value: 100 * share }];
    }),
  );
  const groups = GROUPS.map(({ name }) => name).filter((name) => cells.some(({ group }) => group === name));
  const values = cells.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const domain = low === high ? { domain: [Math.max(0, low - 5), Math.min(100, high + 5)] } : {};
  const chart = draw('Mean recall by group of classes', {
    height: 54 + 44 * groups.length,
    marginLeft: 92,
    marginRight: 16,
    x: {
      grid: true,
      nice: true,
      label: 'mean recall, %',
      ticks: 5,
      tickSize: 0,
      inset: 8,
      tickFormat: tick,
      ...domain,
    },
    y: { domain: groups, label: null, tickSize: 0 },
    marks: [
      Plot.ruleY(groups, { stroke: 'var(--line)' }),
      ...judged.map(({ look }, i) =>
        Plot.dot(
          cells.filter((cell) => cell.look === look),
          {
            x: 'value',
            y: 'group',
            dy: judged.length > 1 ? (i - (judged.length - 1) / 2) * Math.min(8, 30 / judged.length) : 0,
            symbol: look.symbol,
            r: 5,
            fill: look.color,
            stroke: 'var(--paper)',
            title: (cell: (typeof cells)[number]) => `${look.name}, ${cell.group}: ${cell.value.toFixed(1)} %`,
          },
        ),
      ),
    ],
  });
  const { describe } = groupsOf(classes.map((one) => one.count));
  const note = `Many: ${describe.many} of a class; few: ${describe.few}.`;
  return figure('By frequency of the classes', note, html`${chart}${legend(judged.map(({ look }) => look))}`);
}

const JUDGED: Readonly<Record<Report['judgedOn'], readonly [what: string, so: string]>> = {
  test: ['Test data', 'They decided nothing.'],
  validation: ['Validation data', 'They chose the epochs, so they flatter.'],
  'out-of-fold': [
    'Out-of-fold predictions',
    'Each sample is judged by a model that was not trained on it; what is written was trained on all.',
  ],
};

function resultTable({ judgedOn, arms }: Report, judged: readonly JudgedLook[], best: number): Html {
  const columns = ['epoch', 'balanced', 'macro-F1', 'accuracy', 'many', 'medium', 'few'].map((head) => ({ head }));
  const rows = judged.map(({ look, metrics: m }) => [
    html`<span class="name">${swatch(look)}${look.name}</span>`,
    String(arms.find(({ name }) => look !== BEFORE && name === look.name)?.epoch ?? '–'),
    m.balancedAccuracy === best ? html`<b>${percent(m.balancedAccuracy)}</b>` : percent(m.balancedAccuracy),
    ...[m.macroF1, m.accuracy, m.many, m.medium, m.few].map(percent),
  ]);
  const [first] = judged;
  const errors = judged.map(({ metrics }) => standardError(metrics));
  const error = errors.includes(null) ? null : Math.max(...errors.map(Number));
  const [what, so] = JUDGED[judgedOn];
  const note = `${what}, ${counted(first?.metrics.samples ?? 0, 'sample')}, in %. ${so}`;
  const noise =
    error === null
      ? null
      : html`<p class="note">From this many samples a balanced accuracy has a standard error of up to ${(100 * error).toFixed(1)} points.</p>`;
  return html`<figure><figcaption><h3>Before and after</h3><p>${note}</p></figcaption>${table('Accuracies of every loss', [{ head: 'loss', isText: true }, ...columns], rows)}${noise}</figure>`;
}

/** The standard error of the mean recall: √Σ r(1−r)/n / C. */
function standardError({ confusion, recall }: Metrics): number | null {
  if (confusion === null) return null;
  const variances = recall.flatMap((share, k) => {
    const n = confusion[k]?.reduce((sum, cell) => sum + cell, 0) ?? 0;
    return share === null ? [] : [(share * (1 - share)) / n];
  });
  return Math.sqrt(variances.reduce((sum, variance) => sum + variance, 0)) / variances.length;
}
