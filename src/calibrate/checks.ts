import type { Sample } from '../calibration/fit.ts';
import { option } from '../errors.ts';
import { badOption } from '../options/check.ts';
import type { OptionsOf } from '../options/row.ts';
import type { calibrateRows } from '../tables/calibrate.ts';

/** With counts in the order of the scores. */
export type OrderedOptions = Omit<OptionsOf<typeof calibrateRows>, 'classCounts'> & {
  readonly classCounts?: readonly number[];
};

/** @throws LossgraftError `option-range` for options that exclude each other. */
export function checkTogether(options: OptionsOf<typeof calibrateRows>, method: string, goal: string): void {
  if (options.tau !== undefined && method !== 'logit-adjustment' && method !== 'tau-norm')
    throw badOption('tau', `no τ with ${option('method', method)}`, options.tau);
  if (options.goal !== undefined && method === 'temperature')
    throw badOption('goal', `no goal with ${option('method', method)}, which is fitted for the log loss`, options.goal);
  if (options.classCounts !== undefined && (method === 'temperature' || method === 'tau-norm'))
    throw badOption('classCounts', `no counts with ${option('method', method)}, which needs none`, 'some');
  if (goal === 'cost' && options.costs === undefined)
    throw badOption('goal', `a cost matrix (${option('costs')}) with cost`, 'none');
}

/** Beyond this, the search for biases takes minutes. */
const MAX_SEARCH = 2e9;

/** @throws LossgraftError `option-range` for options that do not fit the data. */
export function checkSizes({ costs, classCounts, folds = 5 }: OrderedOptions, sample: Sample, method: string): void {
  const { classes, labels } = sample;
  if (folds < 2) throw badOption('folds', 'at least 2', folds);
  if (costs !== undefined && costs.length !== classes)
    throw badOption('costs', `${classes} rows and columns, one for each class of the model`, costs.length);
  if (classCounts !== undefined && classCounts.length !== classes)
    throw badOption('classCounts', `${classes} numbers, one for each class of the model`, classCounts.length);
  if (method === 'biases' && labels.length * classes ** 2 > MAX_SEARCH)
    throw badOption('method', `another one for ${labels.length} samples of ${classes} classes`, method);
}
