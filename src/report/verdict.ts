import { METRICS, type MetricName } from '../metrics/metrics.ts';
import type { Candidate, RunDecision } from '../records/decision.ts';
import type { Metrics } from '../records/metrics.ts';
import { calibratedWord, calibrationOf } from './calibration.ts';
import { changeOf, METRIC_NAMES, shownMetric, verdictOn } from './figures.ts';
import { count, percent, points } from './format.ts';
import { type Html, html } from './html.ts';
import { BEFORE, type JudgedLook, table } from './look.ts';
import { ARROW } from './marks.ts';
import type { Report } from './report.ts';
import { tradesOf } from './trades.ts';

/** The metrics that decide a run. */
const HEADLINE: readonly MetricName[] = ['balancedAccuracy', 'macroF1'];

/** The outcome of the run: which model is written, if any, why, what it changes, and what was gained and lost. */
export function verdict(report: Report, judged: readonly JudgedLook[], subject: JudgedLook | undefined): Html {
  const { arms, before, decision, isDone, isRunning } = report;
  if (subject === undefined)
    return html`<p class="verdict">${isRunning ? 'No epoch is judged yet: this run trains' : 'The run was interrupted before'} <b>${arms[0]?.name ?? 'the loss'}</b>${isRunning ? '.' : ' was judged.'}</p>`;
  const soFar = isDone ? null : html`<p class="note">The run is not done: these are the best epochs so far.</p>`;
  return html`${decision ? decided(report, decision) : html`<p class="verdict"><b>${subject.look.name}</b>, so far</p>`}
<ul class="headline">${HEADLINE.map((name) => headline(name, before, subject.metrics))}</ul>
${soFar}${before && gainedAndPaid(report, before, subject)}${rivals(judged, subject)}`;
}

function decided(report: Report, { taken, why, warning, startIsWritten }: RunDecision): Html {
  const { sizes } = report;
  const calibration = calibrationOf(report);
  const calibrated = calibration?.decision === 'take' ? `, calibrated by ${calibration.method}` : '';
  const { refit } = report;
  const again = refit?.file == null ? '' : `, trained once more on all ${count(refit.samples)} samples`;
  const kept = startIsWritten
    ? 'this run writes the new last layer as it was before training'
    : 'this run writes no model';
  const what =
    taken === null
      ? html`<b>Not better:</b> ${kept}`
      : html`This run writes <b>${taken.arm}</b>${taken.share === 1 ? '' : ', its weights half-way between before and after'}${calibrated}${again}`;
  return html`<p class="verdict">${what}</p>
<p class="why">On ${count(sizes.validation)} validation samples, ${why}.</p>${warning && html`<p class="why warning">${warning}.</p>`}`;
}

/** Before → after with the interval of the change; changes within chance do not count. */
function headline(name: MetricName, before: Metrics | null, metrics: Metrics): Html {
  const [a, b] = [before?.[name], metrics[name]];
  const change = changeOf(metrics, name);
  const range = change && `${points(change.low, 0)} to ${points(change.high, 0)}`;
  const isTold = change !== null && (change.low > 0 || change.high < 0);
  const note =
    before === null
      ? null
      : change === null
        ? html`${points(b, a)} points`
        : isTold
          ? html`<b>${points(b, a)} points</b>, 95 % interval ${range}`
          : html`<b>the data cannot show a difference</b>: ${points(b, a)} points, 95 % interval ${range}`;
  const from = before && html`<span class="from">${percent(a)}</span> ${ARROW} `;
  return html`<li><span class="name">${METRICS[name].title}</span><span class="figure">${from}${percent(b)}<small> %</small></span><span class="delta">${note}</span></li>`;
}

/** The two sides of a trade, each only if it is beyond noise. */
function gainedAndPaid(report: Report, before: Metrics, subject: JudgedLook): Html {
  const further = METRIC_NAMES.filter((name) => !HEADLINE.includes(name));
  const told = (word: 'better' | 'worse'): string[] =>
    further
      .filter((name) => verdictOn(changeOf(subject.metrics, name), METRICS[name].better) === word)
      .map(
        (name) =>
          `${METRICS[name].title}: ${shownMetric(name, before[name])} to ${shownMetric(name, subject.metrics[name])}${METRICS[name].isShare ? ' %' : ''}`,
      );
  const { gained, paid } = tradesOf(report.classes, before, subject.metrics);
  const side = (title: string, items: readonly string[]): Html =>
    html`<div><h3>${title}</h3>${items.length === 0 ? html`<p class="note">Nothing beyond noise.</p>` : html`<ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`}</div>`;
  return html`<div class="trade">${side('Gained', [...gained, ...told('better')])}${side('Paid', [...paid, ...told('worse')])}</div>`;
}

/** How other models compare with the subject of the page. */
function rivals(judged: readonly JudgedLook[], subject: JudgedLook): Html | null {
  const others = judged.filter(({ look }) => look !== BEFORE && look !== subject.look);
  const rival = others.toSorted((a, b) => b.metrics.balancedAccuracy - a.metrics.balancedAccuracy)[0];
  if (rival === undefined) return null;
  const [own, other] = [subject.metrics.balancedAccuracy, rival.metrics.balancedAccuracy];
  const isEqual = percent(own) === percent(other);
  const how = isEqual ? 'comes out equal' : `has ${percent(other)} % (${points(other, own)} points)`;
  return html`<p class="note">Of the others, by balanced accuracy, <b>${rival.look.name}</b> is first and ${how}.</p>`;
}

/** Every model that was compared with the given one. */
export function triedTable({ decision, sizes }: Report): Html | null {
  if (decision === null || decision.candidates.length === 0) return null;
  const { taken, candidates, startIsWritten } = decision;
  const against = startIsWritten === undefined ? 'the model as it was given' : 'the new last layer before training';
  const heads = ['balanced', 'macro-F1', 'likely better %'].map((head) => ({ head }));
  const rows = candidates.map((one) => {
    const { arm, share, verdict: found } = one;
    const isTaken = taken?.arm === arm && taken.share === share;
    return [
      `${share === 1 ? arm : `${arm}, half-way`}${calibratedWord(one)}`,
      points(found.balancedAccuracy, 0),
      points(found.macroF1, 0),
      percent(found.jointBetter),
      isTaken ? html`<b>written</b>` : fateOf(one),
    ];
  });
  const note = `On ${count(sizes.validation)} validation samples, in points against ${against}. Likely better: the mean of both, in draws from these samples.`;
  return html`<figure><figcaption><h3>What was tried</h3><p>${note}</p></figcaption>${table('Models held against the one before', [{ head: 'model', isText: true }, ...heads, { head: 'came to', isText: true }], rows)}</figure>`;
}

function fateOf({ collapse, verdict: { decision } }: Candidate): string {
  if (collapse !== null) return `refused: ${collapse}`;
  return { take: 'better, not the best', keep: 'refused', untold: 'too few samples to tell' }[decision];
}
