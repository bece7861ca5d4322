import { LossgraftError, option } from '../../errors.ts';
import type { DataOptions } from '../options.ts';
import type { Table } from './table.ts';

/** The column of labels; `undefined` if a file of labels is given, or no labels are requested. @throws LossgraftError `table-columns` */
export function chooseLabels(table: Table, { labelColumn, labels, unlabelled }: DataOptions): number | undefined {
  if (labels !== undefined) {
    if (labelColumn === undefined) return undefined;
    throw refused('option labels', 'a column or a file of labels', `${labelColumn} and ${labels}`, 'Leave one out');
  }
  if (labelColumn !== undefined) return columnIndex(table, labelColumn, 'label-column');
  const [found, other] = table.columns.flatMap((name, i) => (/^labels?$/.test(name) ? [i] : []));
  if (found !== undefined && other === undefined) return found;
  if (unlabelled && found === undefined) return undefined;
  throw refused(
    table.name,
    'one column called label or labels',
    shown(table),
    `Name the column of labels with ${option('labelColumn')}`,
  );
}

/** @throws LossgraftError `table-columns` for a column that is not there. */
export function columnIndex(table: Table, name: string, option: string): number {
  const index = table.columns.indexOf(name);
  if (index >= 0) return index;
  throw refused(`${table.name}, option ${option}`, `a column among ${shown(table)}`, name, 'Correct the name');
}

function shown({ columns }: Table): string {
  return `${columns.slice(0, 20).join(', ')}${columns.length > 20 ? `, … (${columns.length})` : ''}`;
}

function refused(where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code: 'table-columns', where, expected, found, hint });
}
