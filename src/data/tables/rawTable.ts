import { breather } from '../../breather.ts';
import { LossgraftError, option } from '../../errors.ts';
import type { DataOptions } from '../options.ts';
import { rowStore } from '../rowStore.ts';
import { cellsOf, type FeatureCells, lacks } from './cells.ts';
import { isIdentifierName } from './identifiers.ts';
import type { RawColumn, RawTable } from './raw.ts';
import { type Cell, placeOf, type Table } from './table.ts';

/** What `readRaw` returns beside the table. */
export interface ReadTable {
  readonly raw: RawTable;
  /** Rows that were left out. */
  readonly dropped: number;
}

/** From this many rows on, texts without repeats name samples. */
const LEAST_TEXTS = 20;

/**
 * Reads columns of a table. A column whose cells are not numbers holds categories; a mixed one is refused, unless an option declares it
 * categorical.
 *
 * @param texts columns that hold categories, regardless of what their cells look like.
 * @param onLabel receives the label cell of each row that is kept.
 * @throws LossgraftError `missing-value` and `no-number`, with row and column.
 */
export async function readRaw(
  table: Table,
  features: readonly number[],
  options: DataOptions & { readonly texts: ReadonlySet<string>; readonly isPatient: boolean },
  labels: { readonly column: number; add(cell: Cell, place: string): void } | undefined,
): Promise<ReadTable> {
  const store = rowStore(table.name);
  try {
    const columns = features.map((index) => cellsOf(table.columns[index] ?? '', options));
    const row = new Float64Array(features.length);
    const bytes = new Uint8Array(row.buffer);
    const breathe = breather(options.signal);
    let [size, dropped] = [0, 0];
    for await (const { cells, line } of table.rows([...features, ...(labels ? [labels.column] : [])])) {
      const place = (column: number): string =>
        `${placeOf(table, size + dropped, line)}, column ${table.columns[column]}`;
      if (options.missing === 'drop' && cells.some(lacks)) dropped++;
      else {
        for (const [i, column] of columns.entries())
          row[i] = column.add(cells[i] ?? null, () => place(features[i] ?? 0));
        store.append(bytes);
        labels?.add(cells.at(-1) ?? null, place(labels.column));
        size++;
      }
      await breathe();
    }
    const read = (start: number, count: number): Float64Array => {
      const data = new Float64Array(count * features.length);
      store.readInto(new Uint8Array(data.buffer), start * row.byteLength);
      return data;
    };
    const isChosen = options.featureColumns !== undefined;
    const done = columns.map((column) => rawColumn(column, size));
    return {
      raw: { name: table.name, size, columns: done, isChosen, read, close: () => store.close() },
      dropped,
    };
  } catch (error) {
    store.close();
    throw error;
  } finally {
    table.close();
  }
}

function rawColumn(cells: FeatureCells, size: number): RawColumn {
  const { name, values, places, gap, areUnique } = cells;
  const kind = cells.kind();
  const isNamed = isIdentifierName(name) && size > 1;
  const isIdentifier = areUnique() && (isNamed || (kind === 'category' && size >= LEAST_TEXTS));
  return { name, kind, values, places, gap: gap(), isIdentifier };
}

/** The error for a column that is missing. @throws LossgraftError `table-columns` */
export function missingColumn(where: string, name: string, known: readonly string[]): LossgraftError {
  return new LossgraftError({
    code: 'table-columns',
    where,
    expected: `a column ${name}, as the model was trained with`,
    found: `${known.slice(0, 20).join(', ')}${known.length > 20 ? `, … (${known.length})` : ''}`,
    hint: `Give it, or train again without it: ${option('drop', name)}`,
  });
}
