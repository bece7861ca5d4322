import { option } from '../errors.ts';
import { isOfTask, METRICS, metricNamed } from '../metrics/metrics.ts';
import { areKept, MAX_KEPT } from '../metrics/scored.ts';
import { badOption } from '../options/check.ts';
import type { TrainOptions } from './options.ts';

/**
 * Refuses metrics that cannot choose an epoch.
 *
 * @param rows samples of the validation data.
 * @returns notes on metrics that are left out.
 * @throws LossgraftError `option-range`
 */
export function checkMetrics(options: TrainOptions, rows: number, classes: number): string | undefined {
  const { selectBy = METRICS.balancedAccuracy.option, costs } = options;
  const metric = METRICS[metricNamed(selectBy)];
  const { task = 'exclusive' } = options;
  if (!isOfTask(metricNamed(selectBy), task)) {
    const known = Object.values(METRICS).filter(({ tasks = [task] }) => tasks.includes(task));
    throw badOption('selectBy', `a metric of ${task} models: ${known.map((each) => each.option).join(', ')}`, selectBy);
  }
  if (metric === METRICS.cost && costs === undefined)
    throw badOption('selectBy', `a cost matrix (${option('costs')}) with cost`, 'none');
  if (costs !== undefined && costs.length !== classes)
    throw badOption('costs', `${classes} rows and columns, one for each class of the model`, `${costs.length}`);
  if (areKept(rows, classes)) return undefined;
  const size = `${rows} validation samples of ${classes} classes exceed the limit of ${MAX_KEPT} probabilities`;
  if (metric.ranks) throw badOption('selectBy', `a metric that needs no ranking of samples: ${size}`, selectBy);
  return `PR-AUC and ROC-AUC are left out: ${size}. Fewer validation samples (${option('validation')}) have them`;
}
