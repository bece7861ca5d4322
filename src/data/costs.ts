import { extname } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { type CostMatrix, isCostMatrix } from './costMatrix.ts';
import { readText } from './counts.ts';

/**
 * Reads costs of predictions from a file: .json with an array of rows, or .csv without a header. Rows are true classes, columns are
 * predictions.
 *
 * @throws LossgraftError `bad-costs` if it holds no square matrix.
 */
export function readCosts(path: string): CostMatrix {
  const text = readText(path);
  const costs = extname(path).toLowerCase() === '.json' ? fromJson(text) : fromCsv(text);
  if (isCostMatrix(costs)) return costs;
  throw new LossgraftError({
    code: 'bad-costs',
    where: path,
    expected:
      'a .json or .csv file with a square matrix of finite numbers: a row per true class, a column per predicted class',
    found: describe(costs),
    hint: 'Correct the file; a right prediction usually costs 0',
  });
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fromCsv(text: string): number[][] {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  return lines.map((line) => line.split(',').map((cell) => (cell.trim() === '' ? Number.NaN : Number(cell))));
}

function describe(costs: unknown): string {
  if (!Array.isArray(costs)) return 'something else';
  const odd = costs.findIndex((row: unknown) => !Array.isArray(row) || row.length !== costs.length);
  if (odd >= 0)
    return `${costs.length} rows, and ${Array.isArray(costs[odd]) ? costs[odd].length : 'no'} numbers in row ${odd}`;
  const row = costs.findIndex((each: unknown[]) => !each.every((cost) => Number.isFinite(cost)));
  return `something other than a number in row ${row}`;
}
