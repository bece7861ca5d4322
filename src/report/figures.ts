import * as Plot from '@observablehq/plot';
import type { Difference } from '../metrics/bootstrap.ts';
import { METRICS, type MetricName } from '../metrics/metrics.ts';
import { LEAST_SAMPLES } from '../metrics/tally.ts';
import type { DetailedMetrics, Metrics } from '../records/metrics.ts';
import { draw } from './draw.ts';
import { number, percent } from './format.ts';
import { type Html, html } from './html.ts';
import { figure, folded, type JudgedLook, legend, subjectOf, swatch, table } from './look.ts';
import type { Report } from './report.ts';

export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];

function isDetailed(metrics: Metrics | DetailedMetrics): metrics is DetailedMetrics {
  return 'intervals' in metrics;
}

/** How a metric changed from the given model; `null` if that was not computed. */
export function changeOf(metrics: Metrics | DetailedMetrics, name: MetricName): Difference | null {
  return isDetailed(metrics) ? (metrics.change?.metrics[name] ?? null) : null;
}

/** Every metric of every loss with its interval, and of every class. */
export function figures(report: Report, judged: readonly JudgedLook[]): Html | null {
  if (!judged.some(({ metrics }) => isDetailed(metrics))) return null;
  return html`${folded('Every metric, with intervals', metricsTable(judged))}${classFigures(report, judged)}`;
}

/** A metric's value as shown: a share in percent. */
export function shownMetric(name: MetricName, value: number | null | undefined): string {
  return METRICS[name].isShare ? percent(value) : value === null || value === undefined ? '–' : value.toFixed(3);
}

function metricsTable(judged: readonly JudgedLook[]): Html {
  const rows = METRIC_NAMES.filter((name) => judged.some(({ metrics }) => typeof metrics[name] === 'number')).map(
    (name) => [
      html`<span title="${METRICS[name].describe}">${METRICS[name].title}${METRICS[name].isShare && ' %'}</span>`,
      ...judged.map(({ metrics }) => cell(name, metrics)),
    ],
  );
  const heads = [{ head: 'metric', isText: true }, ...judged.map(({ look }) => ({ head: look.name }))];
  const rarest = judged.flatMap(({ metrics }) => (isDetailed(metrics) ? [metrics.rarest] : []))[0];
  const few =
    rarest && rarest.samples < LEAST_SAMPLES
      ? ` A class has ${rarest.samples} of them: with fewer than ${LEAST_SAMPLES} the intervals are too narrow.`
      : '';
  const note =
    'Small print: the 95 % interval, from 1000 bootstrap draws. Better or worse than the given model: the interval of the difference excludes 0. For log loss, ECE and cost, lower is better.';
  return html`<figure><figcaption><h3>Every metric</h3><p>${note}${few}</p></figcaption>${table('Metrics of every loss', heads, rows)}</figure>`;
}

function cell(name: MetricName, metrics: Metrics | DetailedMetrics): Html {
  const interval = isDetailed(metrics) ? metrics.intervals[name] : null;
  const word = verdictOn(changeOf(metrics, name), METRICS[name].better);
  const range =
    interval && html`<br><small>${shownMetric(name, interval.low)} to ${shownMetric(name, interval.high)}</small>`;
  return html`${shownMetric(name, metrics[name])}${word && html` <b>${word}</b>`}${range}`;
}

/** `null` if the data cannot show a difference. */
export function verdictOn(change: Difference | null, better: 'higher' | 'lower'): string | null {
  if (change === null || (change.low <= 0 && change.high >= 0)) return null;
  return change.difference > 0 === (better === 'higher') ? 'better' : 'worse';
}

export function reliabilityFigure(judged: readonly JudgedLook[]): Html | null {
  const cells = judged.flatMap(({ look, metrics }) =>
    (isDetailed(metrics) ? metrics.reliability : []).flatMap(({ confidence, accuracy, samples }) =>
      confidence === null || accuracy === null
        ? []
        : [{ look, confidence: 100 * confidence, accuracy: 100 * accuracy, samples }],
    ),
  );
  // With several labels per sample there is no single predicted class.
  if (cells.length === 0) return null;
  const axis = { domain: [0, 100], ticks: 5, tickSize: 0, grid: true };
  const chart = draw('Accuracy by the probability of the predicted class', {
    height: 300,
    marginLeft: 42,
    marginRight: 16,
    x: { ...axis, label: 'probability, %' },
    y: { ...axis, label: 'accuracy, %' },
    r: { range: [2, 9] },
    marks: [
      Plot.line(
        [
          [0, 0],
          [100, 100],
        ],
        { stroke: 'var(--line)' },
      ),
      ...judged.flatMap(({ look }) => {
        const own = cells.filter((one) => one.look === look);
        const at = { x: 'confidence', y: 'accuracy' } as const;
        return [
          Plot.line(own, { ...at, stroke: look.color, strokeDasharray: look.dash, strokeWidth: 1.5 }),
          Plot.dot(own, {
            ...at,
            r: 'samples',
            symbol: look.symbol,
            fill: look.color,
            title: (one: (typeof cells)[number]) =>
              `${look.name}: ${one.accuracy.toFixed(1)} % right of ${one.samples} samples at ${one.confidence.toFixed(1)} %`,
          }),
        ];
      }),
    ],
  });
  const note = 'Below the line the model is overconfident. Larger marks hold more samples; bins have equal width.';
  return figure('Reliability', note, html`${chart}${legend(judged.map(({ look }) => look))}`);
}

/** Rows of the table of all classes. */
const MAX_TABLE = 2000;

/** For the model that the page is about. */
function classFigures(report: Report, judged: readonly JudgedLook[]): Html | null {
  const { classes } = report;
  const main = subjectOf(report, judged);
  const figuresOf = main?.metrics.classes;
  if (!main || !figuresOf) return null;
  const { precision, f1, averagePrecision, rocAuc } = figuresOf;
  const rows = classes
    .slice(0, MAX_TABLE)
    .map(({ name, count }, k) => [
      name,
      number(count),
      ...[main.metrics.recall, precision, f1, averagePrecision, rocAuc].map((values) => percent(values[k])),
    ]);
  const heads = ['training samples', 'recall %', 'precision %', 'F1 %', 'average precision %', 'ROC-AUC %'];
  const columns = [{ head: 'class', isText: true }, ...heads.map((head) => ({ head }))];
  const left = classes.length - rows.length;
  const caption = `${main.look.name}, class by class${left > 0 ? `: the first ${MAX_TABLE}; checkpoint.json has the other ${left}` : ''}`;
  return folded(
    'Precision, recall and areas for every class',
    html`<p>${swatch(main.look)}</p>${table(caption, columns, rows)}`,
  );
}
