import { LossgraftError } from '../../errors.ts';
import type { Table, TableRow } from './table.ts';

/** One table with the rows of several in turn; columns are matched by name, in the order of the first table. */
export async function joinTables(
  name: string,
  files: readonly string[],
  open: (file: string) => Promise<Table>,
): Promise<Table> {
  const [file = name, ...others] = files;
  const first = await open(file);
  if (others.length === 0) return first;
  const starts: { readonly file: string; readonly row: number }[] = [];
  let running: Table | undefined = first;
  const rows = async function* (columns: readonly number[]): AsyncGenerator<TableRow> {
    let row = 0;
    for (const own of files) {
      const table = own === file ? first : await open(own);
      running = table;
      starts.push({ file: own, row });
      try {
        const places = placesIn(first, table);
        for await (const one of table.rows(columns.map((column) => places[column] ?? 0))) {
          yield one;
          row++;
        }
      } finally {
        table.close();
      }
    }
  };
  const fileOf = (row: number): { readonly file: string; readonly row: number } => {
    const start = starts.findLast((one) => one.row <= row) ?? { file, row: 0 };
    return { file: start.file, row: row - start.row };
  };
  return { name, columns: first.columns, fileOf, rows, close: () => running?.close() };
}

/** The positions of the first table's columns in another. */
function placesIn(first: Table, table: Table): readonly number[] {
  const missing = first.columns.find((column) => !table.columns.includes(column));
  const extra = table.columns.find((column) => !first.columns.includes(column));
  if (missing === undefined && extra === undefined) return first.columns.map((column) => table.columns.indexOf(column));
  throw new LossgraftError({
    code: 'table-columns',
    where: table.name,
    expected: `the columns of ${first.name}`,
    found: missing === undefined ? `a further one, ${extra}` : `none called ${missing}`,
    hint: 'Give the files the same columns, or remove this one',
  });
}
