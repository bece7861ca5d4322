import { LEAST_SAMPLES, METRICS } from '../src/catalogue.ts';
import type { EvaluateResult, MetricName } from '../src/index.ts';
import { headOf, percent, signed } from './figures.ts';
import { printable, table } from './io.ts';

/** Beyond this only the worst classes are shown, and --json has all. */
const SHOWN_CLASSES = 30;
const SHOWN_MISTAKES = 10;

type Cell = string | number | null;

/** The results of `evaluate`, for people. */
export function describeEvaluation(result: EvaluateResult): string {
  const title = `${result.model} on ${result.data}: ${result.samples} samples, with 95 % intervals\n`;
  const parts = [overall(result), tooFew(result), comparison(result), byClass(result), mistakes(result)];
  return title + parts.filter((part) => part !== '').join('\n');
}

const names = Object.keys(METRICS) as MetricName[];

function overall({ metrics, against }: EvaluateResult): string {
  const rows = names.flatMap((name): Cell[][] => {
    const value = metrics[name] ?? null;
    if (value === null) return [];
    const interval = metrics.intervals[name];
    const [low, high] = interval ? [interval.low, interval.high] : [null, null];
    const other = against ? [figure(name, against.metrics[name] ?? null)] : [];
    return [[headOf(name), figure(name, value), figure(name, low), figure(name, high), ...other]];
  });
  return table(['metric', 'value', 'from', 'to', ...(against ? ['other model'] : [])], rows);
}

function tooFew({ metrics: { rarest }, classNames }: EvaluateResult): string {
  if (rarest.samples >= LEAST_SAMPLES) return '';
  const name = printable(classNames?.[rarest.class] ?? String(rarest.class));
  return `Class ${name} has ${rarest.samples} of these samples: with fewer than ${LEAST_SAMPLES} the intervals are too narrow.\n`;
}

/** What the model gains over the other one, metric by metric, and whether that exceeds chance. */
function comparison({ model, against, metrics: { change } }: EvaluateResult): string {
  if (!against || !change) return '';
  const rows = names.flatMap((name): Cell[][] => {
    const difference = change.metrics[name];
    if (!difference) return [];
    const { low, high, better } = difference;
    const isTold = low > 0 || high < 0;
    const verdict = isTold ? (better > 0.5 ? 'better' : 'worse') : 'the data cannot show a difference';
    return [[headOf(name), signed(name, difference.difference), signed(name, low), signed(name, high), verdict]];
  });
  const { onlyFirst, onlySecond, p } = change.accuracy;
  const test = `Right in one model alone: ${onlySecond} samples here, ${onlyFirst} in the other; McNemar's exact test p = ${p.toPrecision(2)}${p < 0.05 ? '' : ', the data cannot show a difference'}`;
  const title = `${printable(model)} against ${printable(against.model)}, on the same samples, paired`;
  return `${title}\n${table(['metric', 'difference', 'from', 'to', ''], rows)}${test}\n`;
}

function byClass({ metrics, classNames, classCounts }: EvaluateResult): string {
  const { recall, classes, thresholds } = metrics;
  const all = classCounts.map((_, k) => k).filter((k) => (classCounts[k] ?? 0) > 0 || classes?.precision[k] === 0);
  const isLong = all.length > SHOWN_CLASSES;
  const f1 = (k: number): number => classes?.f1[k] ?? 0;
  const shown = isLong ? all.toSorted((a, b) => f1(a) - f1(b)).slice(0, SHOWN_CLASSES) : all;
  const rows = shown.map((k): Cell[] => [
    classNames?.[k] ?? k,
    classCounts[k] ?? 0,
    ...[recall[k], classes?.precision[k], classes?.f1[k], classes?.averagePrecision[k], classes?.rocAuc[k]].map(
      percent,
    ),
    ...(thresholds ? [Number((thresholds[k] ?? 0).toPrecision(3))] : []),
  ]);
  const title = isLong
    ? `The ${SHOWN_CLASSES} of ${all.length} classes with the lowest F1 (--json has all)`
    : 'By class';
  const head = ['class', 'samples', 'recall %', 'precision %', 'F1 %', 'average precision %', 'ROC-AUC %'];
  if (thresholds) head.push('threshold');
  return `${title}\n${table(head, rows)}`;
}

function mistakes({ mistakes: all, classNames, classCounts, metrics }: EvaluateResult): string {
  // If samples have several labels, confusions cannot be attributed.
  if (metrics.thresholds) return '';
  if (all.length === 0) return 'No mistakes\n';
  const name = (k: number): string => classNames?.[k] ?? String(k);
  const rows = all
    .slice(0, SHOWN_MISTAKES)
    .map(({ label, predicted, samples }): Cell[] => [
      name(label),
      name(predicted),
      samples,
      percent(samples / (classCounts[label] ?? 1)),
    ]);
  return `The most frequent mistakes\n${table(['class', 'taken for', 'samples', '% of the class'], rows)}`;
}

function figure(name: MetricName, value: number | null): number | null {
  if (METRICS[name].isShare) return percent(value);
  return value === null ? null : Number(value.toPrecision(4));
}
