import * as Plot from '@observablehq/plot';
import type { OperatingPoint, PrecisionRecallCurve } from '../metrics/precisionRecall.ts';
import { LEAST_SAMPLES } from '../metrics/tally.ts';
import { calibrationFigure } from './calibration.ts';
import { draw } from './draw.ts';
import { reliabilityFigure } from './figures.ts';
import { count, counted, percent, points } from './format.ts';
import { type Html, html } from './html.ts';
import {
  BEFORE,
  type ColumnHead,
  figure,
  type JudgedLook,
  judgedOf,
  type Look,
  legend,
  subjectOf,
  table,
} from './look.ts';
import type { Report } from './report.ts';

/** How well rare classes can be distinguished from the others, at which thresholds, and how reliable the probabilities are. */
export function precision(report: Report): Html | null {
  const judged = judgedOf(report);
  const subject = subjectOf(report, judged);
  const { curves } = report;
  if (!subject || !curves) return null;
  const looks = [...(report.before ? [BEFORE] : []), subject.look];
  const panels = curves.after.map((after) => curveFigure(report, after, subject.look));
  const isPart = curves.after.length < report.classes.length && report.classes.length > 2;
  return html`<section id="precision"><h2>Precision and recall</h2>
<p class="lede">${isPart ? `The ${curves.after.length} rarest classes, each` : 'Each class'} against all others: how many of it are found, and how many of what is taken for it are right, from the highest threshold on the left to the lowest.</p>
${legend(looks)}<div class="grid">${panels}${reliabilityFigure(judged.filter(({ look }) => looks.includes(look)))}</div>
${curves.points.length > 0 ? operatingTable(report, subject) : html`<p class="note">No threshold is recommended: ${FEW}.</p>`}${calibrationFigure(report)}</section>`;
}

const FEW = `fewer than ${LEAST_SAMPLES} validation samples of a class say nothing about thresholds`;

interface Drawn {
  readonly recall: number;
  readonly precision: number;
}

function curveFigure(report: Report, after: PrecisionRecallCurve, look: Look): Html {
  const { classes, curves } = report;
  const name = classes[after.class]?.name ?? String(after.class);
  const before = curves?.before.find((curve) => curve.class === after.class);
  const point = curves?.points.find((one) => one.class === after.class);
  const lines = [...(before ? [{ look: BEFORE, drawn: drawnOf(before) }] : []), { look, drawn: drawnOf(after) }];
  const axis = { domain: [0, 100], ticks: 5, tickSize: 0, grid: true };
  const chart = draw(`Precision by recall of ${name}`, {
    height: 270,
    marginLeft: 42,
    marginRight: 16,
    x: { ...axis, label: 'recall, %' },
    y: { ...axis, label: 'precision, %' },
    marks: [
      ...lines.map((line) =>
        Plot.line(line.drawn, {
          x: 'recall',
          y: 'precision',
          stroke: line.look.color,
          strokeDasharray: line.look.dash,
          strokeWidth: 2,
          curve: 'step-before',
        }),
      ),
      ...(point ? marksOf(point, look) : []),
    ],
  });
  const note = point ? 'The ring is how the model decides by itself, the star the threshold below.' : '';
  return figure(name, `${count(classes[after.class]?.count ?? 0)} training samples. ${note}`, chart);
}

function drawnOf({ points: all }: PrecisionRecallCurve): Drawn[] {
  return all.map((one) => ({
    recall: 100 * one.recall,
    precision: 100 * one.precision,
  }));
}

function marksOf({ at, own }: OperatingPoint, { color }: Look): Plot.Markish[] {
  const place = (figures: OperatingPoint['at'], title: string) =>
    figures.precision === null ? [] : [{ recall: 100 * figures.recall, precision: 100 * figures.precision, title }];
  const style = { x: 'recall', y: 'precision', title: 'title' } as const;
  return [
    Plot.dot(place(own, 'by itself'), { ...style, r: 6, stroke: color, strokeWidth: 2, fill: 'var(--paper)' }),
    Plot.dot(place(at, 'at the threshold'), { ...style, symbol: 'star', r: 6, fill: color, stroke: 'var(--paper)' }),
  ];
}

/** Thresholds of the rare classes, compared with the model's own decisions. */
function operatingTable({ classes, curves, judgedOn }: Report, { look, metrics }: JudgedLook): Html {
  const rows = (curves?.points ?? []).map((one) => {
    const { threshold, at, own, gain } = one;
    const advice = adviceOn(one);
    return [
      classes[one.class]?.name ?? String(one.class),
      `${(100 * threshold).toFixed(1)}`,
      pair(at.precision, own.precision),
      pair(at.recall, own.recall),
      pair(at.f1, own.f1),
      html`${points(gain.difference, 0)}<br><small>${points(gain.low, 0)} to ${points(gain.high, 0)}</small>`,
      html`${advice}`,
    ];
  });
  const heads: ColumnHead[] = [
    { head: 'class', isText: true },
    { head: 'threshold %' },
    ...['precision %', 'recall %', 'F1 %', 'gain in F1'].map((head) => ({ head })),
    { head: 'recommended', isText: true },
  ];
  const chosen =
    judgedOn === 'test'
      ? 'Chosen on validation data, judged on test data.'
      : 'Chosen and judged on the same samples, so the figures flatter.';
  const rule = metrics.thresholds
    ? 'at the thresholds of this run'
    : 'which takes the class with the highest probability';
  const left = (curves?.after.length ?? 0) - rows.length;
  const few = left > 0 ? ` Left out: ${counted(left, 'class')}, as ${FEW}.` : '';
  const note = `Where a probability of at least the threshold counts as the class, for the highest F1. In small print: ${look.name} by itself, ${rule}. ${chosen}${few}`;
  return html`<figure><figcaption><h3>Operating points</h3><p>${note}</p></figcaption>${table('Thresholds of classes', heads, rows)}</figure>`;
}

function pair(at: number | null, own: number | null): Html {
  return html`${percent(at)}<br><small>${percent(own)}</small>`;
}

function adviceOn({ gain: { low, high } }: OperatingPoint): Html {
  if (low > 0) return html`<b>the threshold</b>`;
  return high < 0 ? html`the model by itself` : html`either: the data cannot show a difference`;
}
