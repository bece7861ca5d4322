import { isCostMatrix } from '../data/costMatrix.ts';
import { value } from '../options/row.ts';

/** What a wrong prediction costs: rows are true classes, columns predictions. */
export const costsRow = value(
  'a square matrix of finite numbers',
  isCostMatrix,
  'What predictions cost, FILE (.json, .csv): a row for each true class, a column for each prediction',
  {
    flag: 'cost-matrix',
    reads: 'a .json or .csv file with a square matrix',
    parse: async (path: string) => (await import('../data/costs.ts')).readCosts(path),
  },
);
