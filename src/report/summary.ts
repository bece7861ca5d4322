import * as Plot from '@observablehq/plot';
import { groupsOf } from '../metrics/groups.ts';
import type { Metrics } from '../records/metrics.ts';
import { draw } from './draw.ts';
import { changeOf, figures } from './figures.ts';
import { count, counted, percent, points } from './format.ts';
import { type Html, html } from './html.ts';
import { BEFORE, figure, judgedOf, legend, swatch, table } from './look.ts';
import type { Report } from './report.ts';

type Judged = ReturnType<typeof judgedOf>[number];

/** What came out: a sentence, a figure for each loss, and the groups of classes. */
export function summary(report: Report): Html {
  const judged = judgedOf(report);
  const [first] = judged;
  if (first === undefined) return html`<section id="result"><p class="verdict">Nothing was judged yet.</p></section>`;
  const best = Math.max(...judged.map(({ metrics }) => metrics.balancedAccuracy));
  return html`<section id="result"><h2 class="unseen">Result</h2>
<p class="verdict">${verdict(report, judged)}</p>
<ul class="tiles">${judged.map((one) => tile(one, report, best))}</ul>
<div class="grid two">${groupsFigure(report, judged)}${resultTable(report, judged, best)}</div>
${figures(report, judged)}</section>`;
}

function verdict({ arms, judgedOn, before, isDone }: Report, judged: readonly Judged[]): Html {
  const [main] = arms;
  const metrics = main?.metrics;
  if (!main || !metrics) return html`The run was interrupted before <b>${main?.name ?? 'the loss'}</b> was judged.`;
  const to = `${percent(metrics.balancedAccuracy)} %`;
  const change = before
    ? html`<b>${main.name}</b> took the balanced accuracy on ${count(metrics.samples)} ${judgedOn} samples from ${percent(before.balancedAccuracy)} % to ${to} (${points(metrics.balancedAccuracy, before.balancedAccuracy)} points).${noise(metrics)} Macro-F1: ${percent(before.macroF1)} % before, ${percent(metrics.macroF1)} % now.`
    : html`<b>${main.name}</b> has a balanced accuracy of ${to} on ${count(metrics.samples)} ${judgedOn} samples.`;
  const others = judged.filter(({ look }) => look !== BEFORE && look.name !== main.name);
  const rival = others.toSorted((a, b) => b.metrics.balancedAccuracy - a.metrics.balancedAccuracy)[0];
  const beside = rival ? compared(rival, metrics) : null;
  const soFar = isDone ? null : html` The run was interrupted: these are the best epochs so far.`;
  return html`${change}${beside}${soFar}`;
}

/** What the intervals say, where there are some. */
function noise(metrics: Metrics): Html | null {
  const change = changeOf(metrics, 'balancedAccuracy');
  if (change === null) return null;
  const range = `${points(change.low, 0)} to ${points(change.high, 0)}`;
  if (change.low <= 0 && change.high >= 0)
    return html` From this many samples no difference can be told: the 95 % interval is ${range} points.`;
  return html` The 95 % interval is ${range} points.`;
}

function compared({ look, metrics }: Judged, main: Metrics): Html {
  const [own, other] = [main.balancedAccuracy, metrics.balancedAccuracy];
  if (percent(own) === percent(other)) return html` <b>${look.name}</b> comes out equal.`;
  const word = other > own ? 'is higher' : 'is lower';
  return html` <b>${look.name}</b> ${word}, with ${percent(other)} % (${points(other, own)}).`;
}

function tile({ look, metrics }: Judged, { before, arms }: Report, best: number): Html {
  const isGiven = look === BEFORE;
  const epoch = arms.find(({ name }) => name === look.name)?.epoch;
  const delta = isGiven
    ? 'before training'
    : `${before ? `${points(metrics.balancedAccuracy, before.balancedAccuracy)} points, ` : ''}epoch ${epoch ?? '–'}`;
  const change = changeOf(metrics, 'balancedAccuracy');
  // A lead that chance alone gives is none.
  const isBest = metrics.balancedAccuracy === best && (change === null || change.low > 0);
  return html`<li class="${isBest ? 'tile best' : 'tile'}"><span class="name">${swatch(look)}${look.name}</span>
<span class="figure">${percent(metrics.balancedAccuracy)}<small> %</small>${isBest && html`<span class="badge">best</span>`}</span><span class="delta">${delta}</span></li>`;
}

const GROUPS = [
  { name: 'all classes', value: (metrics: Metrics) => metrics.balancedAccuracy },
  { name: 'many-shot', value: (metrics: Metrics) => metrics.many },
  { name: 'medium-shot', value: (metrics: Metrics) => metrics.medium },
  { name: 'few-shot', value: (metrics: Metrics) => metrics.few },
] as const;

function groupsFigure({ classes }: Report, judged: readonly Judged[]): Html {
  const cells = judged.flatMap(({ look, metrics }) =>
    GROUPS.flatMap(({ name, value }) => {
      const share = value(metrics);
      return share === null ? [] : [{ group: name, look, value: 100 * share }];
    }),
  );
  const groups = GROUPS.map(({ name }) => name).filter((name) => cells.some(({ group }) => group === name));
  const chart = draw('Mean recall by group of classes', {
    height: 54 + 44 * groups.length,
    marginLeft: 92,
    marginRight: 16,
    x: { grid: true, nice: true, label: 'mean recall, %', ticks: 5, tickSize: 0, inset: 8 },
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

function resultTable({ judgedOn, arms }: Report, judged: readonly Judged[], best: number): Html {
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
  const note = `${judgedOn === 'test' ? 'Test' : 'Validation'} data, ${counted(first?.metrics.samples ?? 0, 'sample')}, in %.${judgedOn === 'test' ? ' Nothing was chosen by them.' : ' The epochs were chosen by them, so they flatter.'}`;
  const noise =
    error === null
      ? null
      : html`<p class="note">From this many samples a balanced accuracy has a standard error of up to ${(100 * error).toFixed(1)} points.</p>`;
  return html`<figure><figcaption><h3>Before and after</h3><p>${note}</p></figcaption>${table('Accuracies of every loss', [{ head: 'loss', isText: true }, ...columns], rows)}${noise}</figure>`;
}

/** Of the mean of recalls, each a share of its class's samples: √Σ r(1−r)/n / C. */
function standardError({ confusion, recall }: Metrics): number | null {
  if (confusion === null) return null;
  const variances = recall.flatMap((share, k) => {
    const n = confusion[k]?.reduce((sum, cell) => sum + cell, 0) ?? 0;
    return share === null ? [] : [(share * (1 - share)) / n];
  });
  return Math.sqrt(variances.reduce((sum, variance) => sum + variance, 0)) / variances.length;
}
