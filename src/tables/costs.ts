import { isCostMatrix } from '../data/costMatrix.ts';
import { value } from '../options/row.ts';

/** The costs of wrong predictions: rows are true classes, columns are predictions. */
export const costsRow = value(
  'a square matrix of finite numbers',
  isCostMatrix,
  'FILE (.json, .csv) with the cost of predictions: a row per true class, a column per predicted class',
  {
    flag: 'cost-matrix',
    reads: 'a .json or .csv file with a square matrix',
    parse: async (path: string) => (await import('../data/costs.ts')).readCosts(path),
  },
);
