import { METRICS } from '../src/catalogue.ts';
import type { MetricName, TrainResult } from '../src/index.ts';
import { printable, table } from './io.ts';

const SHOWN: readonly MetricName[] = ['balancedAccuracy', 'macroF1', 'accuracy', 'mcc', 'prAuc', 'logLoss'];
const COMPARED = ['balancedAccuracy', 'macroF1'] as const;

type Summary = NonNullable<TrainResult['seeds']>;

/** Mean and deviation over the seeds, the differences from the given model, and which seed's model is written. */
export function describeSeeds({ runs, chosen, judgedOn, rows }: Summary): string {
  const what = { test: 'Test data', validation: 'Validation data', 'out-of-fold': 'Out of fold' }[judgedOn];
  const names = SHOWN.filter((name) => rows.some(({ metrics }) => metrics[name]));
  const head = ['loss', ...names.map((name) => `${METRICS[name].title}${METRICS[name].isShare ? ' %' : ''}`)];
  const body = rows.map(({ name, metrics }) => [
    name,
    ...names.map((metric) => {
      const found = metrics[metric];
      return found ? `${figure(found.mean, metric)} ± ${figure(found.sd, metric)}` : '–';
    }),
  ]);
  const changes = rows.flatMap(({ name, change, againstFirst }) => [
    ...(change
      ? [`${printable(name)} against before: ${COMPARED.flatMap((metric) => told(metric, change[metric])).join('; ')}`]
      : []),
    ...(againstFirst
      ? [
          `${printable(name)} against ${printable(rows[1]?.name ?? '')}: ${COMPARED.flatMap((metric) => told(metric, againstFirst[metric])).join('; ')}`,
        ]
      : []),
  ]);
  const taken = runs.filter(({ isTaken }) => isTaken).map(({ seed }) => seed);
  const which =
    chosen === null
      ? 'The models of all seeds are refused'
      : `Seed ${chosen} has the largest gain on validation data of those that are not refused (${taken.join(', ')})`;
  return `${what}, ${runs.length} seeds (${runs.map(({ seed }) => seed).join(', ')}), mean ± standard deviation\n${table(head, body)}\nIn points, with 95 % intervals of the paired t-test over the seeds:\n${changes.join('\n')}\n\n${which}\n`;
}

function figure(value: number, metric: MetricName): string {
  return METRICS[metric].isShare ? (100 * value).toFixed(1) : String(Number(value.toPrecision(3)));
}

function told(metric: MetricName, change: NonNullable<Summary['rows'][number]['change']>[MetricName]): string[] {
  if (!change) return [];
  const { mean, low, high, p } = change;
  const points = (share: number): string => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)}`;
  return [
    `${METRICS[metric].title} ${points(mean)} (${points(low)} to ${points(high)}, p = ${p < 0.001 ? '<0.001' : p.toFixed(3)})`.replace(
      '= <',
      '< ',
    ),
  ];
}
