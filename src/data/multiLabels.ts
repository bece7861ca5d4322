import { LossgraftError, option } from '../errors.ts';
import { type Dataset, LABELS } from './dataset.ts';
import { matrixColumn } from './labelMatrix.ts';
import { MAX_CLASS_NAMES } from './limits.ts';
import type { DataOptions } from './options.ts';
import { byCodePoint } from './order.ts';
import { type Cell, placeOf, type Table, type TableRow } from './tables/table.ts';
import { chooseLabels, columnIndex } from './tables/tableColumns.ts';

type Read = (table: Table, options: DataOptions) => Promise<Dataset>;

/**
 * Reads a table whose samples may have several labels: columns of 0 and 1, or one column of names with a separator between them. The
 * reader sees a table without these columns; they are collected while it reads the rows.
 *
 * @throws LossgraftError for cells that are not labels, with row and column.
 */
export async function readMultiLabel(table: Table, options: DataOptions, read: Read): Promise<Dataset> {
  const labels = labelsOf(table, options);
  if (labels === undefined) return read(table, options);
  try {
    refuseConflicts(options);
  } catch (error) {
    table.close();
    throw error;
  }
  const { labelColumns: _, labelSeparator: __, labelColumn: ___, ...others } = options;
  const data = await read(without(table, labels), { ...others, unlabelled: true });
  if (options.unlabelled) return data;
  const { names, hot, from } = labels.finish();
  const note = `${table.name}: ${names.length} labels from ${labels.describe}`;
  return {
    ...data,
    columns: new Map([...data.columns, [LABELS, matrixColumn(hot, names.length)]]),
    classNames: names,
    labelsFrom: from,
    notes: [...(data.notes ?? []), note],
  };
}

/** Cells of labels, as they come. */
interface Labels {
  readonly columns: readonly number[];
  readonly describe: string;
  /** Called before the first row of each pass. */
  begin(): void;
  add(cells: readonly Cell[], where: (i: number) => string): void;
  finish(): { readonly names: readonly string[]; readonly hot: Uint8Array; readonly from: 'names' | 'columns' };
}

function labelsOf(table: Table, options: DataOptions): Labels | undefined {
  const { labelColumns, labelSeparator } = options;
  try {
    if (labelColumns !== undefined) return columnsOfLabels(table, labelColumns);
    if (labelSeparator === undefined) return undefined;
    const column = chooseLabels(table, options);
    return column === undefined ? undefined : namesWithSeparator(table, column, labelSeparator);
  } catch (error) {
    table.close();
    throw error;
  }
}

/** The table as the reader of samples sees it. */
function without(table: Table, labels: Labels): Table {
  const kept = table.columns.map((_, i) => i).filter((i) => !labels.columns.includes(i));
  async function* rows(columns: readonly number[]): AsyncGenerator<TableRow> {
    labels.begin();
    const own = columns.map((i) => kept[i] ?? 0);
    let row = 0;
    for await (const { cells, line } of table.rows([...own, ...labels.columns])) {
      const place = placeOf(table, row++, line);
      labels.add(cells.slice(own.length), (i) => `${place}, column ${table.columns[labels.columns[i] ?? 0]}`);
      yield { cells: cells.slice(0, own.length), line };
    }
  }
  return { ...table, columns: kept.map((i) => table.columns[i] ?? ''), rows, close: () => table.close() };
}

/** A name, or several through `*`, in the table's order. */
function columnsOfLabels(table: Table, asked: readonly string[]): Labels {
  const columns = asked.flatMap((name) => {
    if (!name.includes('*')) return [columnIndex(table, name, 'label-columns')];
    const pattern = new RegExp(`^${name.split('*').map(escaped).join('.*')}$`);
    const found = table.columns.flatMap((column, i) => (pattern.test(column) ? [i] : []));
    return found.length > 0 ? found : [columnIndex(table, name, 'label-columns')];
  });
  const names = columns.map((i) => table.columns[i] ?? '');
  if (names.length < 2 || new Set(columns).size !== columns.length) throw tooFew(table, names);
  let rows: number[] = [];
  return {
    columns,
    describe: `columns ${names.length > 12 ? `${names.slice(0, 12).join(', ')}, …` : names.join(', ')}`,
    begin: () => {
      rows = [];
    },
    add: (cells, where) => {
      for (const [i, cell] of cells.entries()) rows.push(flagOf(cell, () => where(i)));
    },
    finish: () => ({ names, hot: Uint8Array.from(rows), from: 'columns' }),
  };
}

function escaped(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
}

/** 0 or 1, or a boolean as pandas and PyTorch write it. */
const FLAGS: Readonly<Record<string, number>> = { '0': 0, '1': 1, false: 0, true: 1 };

function flagOf(cell: Cell, where: () => string): number {
  const text =
    typeof cell === 'string'
      ? cell
          .trim()
          .toLowerCase()
          .replace(/^([01])\.0*$/, '$1')
      : String(cell);
  const flag = Object.hasOwn(FLAGS, text) ? FLAGS[text] : undefined;
  if (flag !== undefined) return flag;
  throw new LossgraftError({
    code: cell === null || text === '' ? 'missing-value' : 'labels-dtype',
    where: where(),
    expected: '0 or 1: whether the sample has the label',
    found: cell === null || text === '' ? 'a missing value' : JSON.stringify(cell).slice(0, 80),
    hint: `Correct it, or leave the column out of ${option('labelColumns')}`,
  });
}

function namesWithSeparator(table: Table, column: number, separator: string): Labels {
  const codes = new Map<string, number>();
  let rows: number[][] = [];
  const codeOf = (name: string, where: string): number => {
    const known = codes.get(name);
    if (known !== undefined) return known;
    if (codes.size >= MAX_CLASS_NAMES) throw tooMany(where);
    codes.set(name, codes.size);
    return codes.size - 1;
  };
  return {
    columns: [column],
    describe: `column ${table.columns[column]}, separated by ${JSON.stringify(separator)}`,
    begin: () => {
      rows = [];
    },
    add: ([cell = null], where) => {
      const names = cell === null ? [] : String(cell).split(separator);
      const own = names.map((name) => name.trim()).filter((name) => name !== '');
      rows.push(own.map((name) => codeOf(name, where(0))));
    },
    finish: () => {
      const names = [...codes.keys()].sort(byCodePoint);
      if (names.length < 2) throw tooFew(table, names);
      const place = [...codes.keys()].map((name) => names.indexOf(name));
      const hot = new Uint8Array(rows.length * names.length);
      for (const [row, own] of rows.entries()) for (const code of own) hot[row * names.length + (place[code] ?? 0)] = 1;
      return { names, hot, from: 'names' };
    },
  };
}

function refuseConflicts({ labelColumns, labelSeparator, labelColumn, labels, missing }: DataOptions): void {
  const conflict =
    labelColumns !== undefined && (labelSeparator !== undefined || labelColumn !== undefined)
      ? [option('labelColumns'), option(labelSeparator === undefined ? 'labelColumn' : 'labelSeparator')]
      : labels !== undefined
        ? [option(labelColumns === undefined ? 'labelSeparator' : 'labelColumns'), option('labels')]
        : missing !== undefined
          ? [option(labelColumns === undefined ? 'labelSeparator' : 'labelColumns'), option('missing')]
          : undefined;
  if (conflict === undefined) return;
  throw new LossgraftError({
    code: 'option-conflict',
    where: 'options of labels',
    expected: 'labels from one place, of every row',
    found: conflict.join(' and '),
    hint: 'Omit one of them',
  });
}

function tooFew(table: Table, names: readonly string[]): LossgraftError {
  return new LossgraftError({
    code: 'table-columns',
    where: table.name,
    expected: 'two or more labels, each once',
    found: names.join(', ') || 'none',
    hint: `Name all columns of labels with ${option('labelColumns')} (such as label_*), or the separator of names with ${option('labelSeparator')}`,
  });
}

function tooMany(where: string): LossgraftError {
  return new LossgraftError({
    code: 'label-names',
    where,
    expected: `at most ${MAX_CLASS_NAMES} different labels`,
    found: 'more',
    hint: `Is ${option('labelSeparator')} what stands between the names?`,
  });
}
