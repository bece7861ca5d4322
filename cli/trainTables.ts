import { groupsOf, LEAST_SAMPLES, METRICS } from '../src/catalogue.ts';
import type { DetailedMetrics, MetricName, Metrics, TrainResult } from '../src/index.ts';
import { withFlags } from './flags.ts';
import { printable, table } from './io.ts';

/** Above this many classes only --json and metrics.jsonl have their recalls. */
const SHOWN_CLASSES = 30;

interface FigureRow {
  readonly name: string;
  readonly epoch: number | null;
  readonly metrics: Metrics;
  /** Against the given model; `null` for the given model itself. */
  readonly change: DetailedMetrics['change'];
}

/** In the first table; the others follow in a second one. */
const MAIN: readonly MetricName[] = ['balancedAccuracy', 'macroF1', 'accuracy'];
const FURTHER = (Object.keys(METRICS) as MetricName[]).filter((name) => !MAIN.includes(name));

/** Before and after, for every loss, on the test data if there are any. */
export function describeTraining(result: TrainResult): string {
  const { before, classCounts, folds } = result;
  const rows = rowsOf(result);
  const { describe } = groupsOf(classCounts);
  const held = folds === null ? 'Validation data' : `Out of fold (${folds} folds)`;
  const title = `${before.test === null ? held : 'Test data'}, ${rows[0]?.metrics.samples ?? 0} samples (many: ${describe.many} of a class, few: ${describe.few})`;
  const parts = [mainTable(rows), furtherTable(rows), changes(rows), tooFew(result), recallTable(result, rows)];
  return `${title}\n${parts.filter((part) => part !== '').join('\n')}`;
}

/** The outcome of the run. */
export function describeDecision({ decision }: TrainResult): string {
  if (decision === null) return '';
  const kept = decision.startIsWritten
    ? 'The new last layer is written as it was before training'
    : 'The model as it was is kept';
  return `${decision.taken === null ? kept : 'Taken'}: ${printable(withFlags(decision.why))}`;
}

function rowsOf({ before, arms, decision, half, refit }: TrainResult): FigureRow[] {
  const given = before.judged ?? before.validation;
  return [
    ...(given ? [{ name: 'before', epoch: null, metrics: given, change: null }] : []),
    ...arms.map(({ name, best, judged }) => {
      const change = judged?.change ?? null;
      return { name: `${name}${calibrated(decision, name, 1)}`, epoch: best.epoch, metrics: judged ?? best, change };
    }),
    ...(half
      ? [
          {
            name: `${decision?.taken?.arm ?? ''}, half-way${calibrated(decision, decision?.taken?.arm, decision?.taken?.share)}`,
            epoch: null,
            metrics: half,
            change: half.change,
          },
        ]
      : []),
    ...(refit?.test
      ? [
          {
            name: `${decision?.taken?.arm ?? ''}, on all ${refit.samples} samples`,
            epoch: null,
            metrics: refit.test,
            change: refit.test.change,
          },
        ]
      : []),
  ];
}

function calibrated(decision: TrainResult['decision'], arm: string | undefined, share: number | undefined): string {
  const found = decision?.candidates.find((one) => one.arm === arm && one.share === share);
  return found?.calibration?.decision === 'take' ? ', calibrated' : '';
}

const headOf = (name: MetricName): string => {
  const title = name === 'balancedAccuracy' ? 'balanced' : METRICS[name].title;
  return METRICS[name].isShare ? `${title} %` : title;
};
const figureOf = (name: MetricName, { metrics }: FigureRow): number | null => {
  const value = metrics[name] ?? null;
  if (METRICS[name].isShare) return rounded(value);
  return value === null ? null : Number(value.toPrecision(3));
};

function mainTable(rows: readonly FigureRow[]): string {
  const head = ['loss', 'epoch', ...MAIN.map(headOf), 'many %', 'medium %', 'few %'];
  const body = rows.map((row) => {
    const { many, medium, few } = row.metrics;
    return [row.name, row.epoch, ...MAIN.map((name) => figureOf(name, row)), ...[many, medium, few].map(rounded)];
  });
  return table(head, body);
}

function furtherTable(rows: readonly FigureRow[]): string {
  const names = FURTHER.filter((name) => rows.some((row) => figureOf(name, row) !== null));
  const body = rows.map((row) => [row.name, ...names.map((name) => figureOf(name, row))]);
  return table(['loss', ...names.map(headOf)], body);
}

/** How the losses differ from the given model, with intervals. */
function changes(rows: readonly FigureRow[]): string {
  const lines = rows.flatMap(({ name, change }) =>
    change === null
      ? []
      : [
          `${printable(name)}: ${(['balancedAccuracy', 'macroF1'] as const).flatMap((metric) => describeChange(metric, change)).join('; ')}`,
        ],
  );
  return lines.length === 0 ? '' : `Against before, in points, with 95 % intervals:\n${lines.join('\n')}\n`;
}

/** Resampling a handful of samples cannot show any others. */
function tooFew({ before: { judged }, classNames }: TrainResult): string {
  if (!judged || judged.rarest.samples >= LEAST_SAMPLES) return '';
  const { class: k, samples } = judged.rarest;
  const name = printable(classNames?.[k] ?? String(k));
  return `Class ${name} has ${samples} of these samples: with fewer than ${LEAST_SAMPLES} the intervals are too narrow.\n`;
}

function describeChange(metric: MetricName, { metrics }: NonNullable<FigureRow['change']>): string[] {
  const change = metrics[metric];
  if (!change) return [];
  const { difference, low, high } = change;
  const isTold = low > 0 || high < 0;
  return [
    `${METRICS[metric].title} ${points(difference)} (${points(low)} to ${points(high)})${isTold ? '' : ', the data cannot show a difference'}`,
  ];
}

function recallTable({ classCounts, classNames }: TrainResult, rows: readonly FigureRow[]): string {
  if (classCounts.length > SHOWN_CLASSES) return '';
  const recalls = classCounts.map((count, k) => [
    classNames?.[k] ?? String(k),
    count,
    ...rows.map(({ metrics }) => rounded(metrics.recall[k] ?? null)),
  ]);
  return `Recall by class\n${table(['class', 'training samples', ...rows.map(({ name }) => `${name} %`)], recalls)}`;
}

function points(share: number): string {
  const text = Math.abs(100 * share).toFixed(1);
  return `${text === '0.0' ? '' : share < 0 ? '−' : '+'}${text}`;
}

function rounded(share: number | null): number | null {
  return share === null ? null : Math.round(1000 * share) / 10;
}
