/** The content of a table's cell. */
export type Cell = string | number | bigint | boolean | null;

/** One row: its cells in the order in which columns were requested. */
export interface TableRow {
  readonly cells: readonly Cell[];
  /** The line of the file, if rows are lines. */
  readonly line: number | undefined;
}

/** A table that is read once, from its first row to its last. */
export interface Table {
  readonly name: string;
  readonly columns: readonly string[];
  /** The rows, of some columns, by their indices. */
  rows(columns: readonly number[]): AsyncIterable<TableRow>;
  /** For several files: the file of a row, and its number there. */
  fileOf?(row: number): { readonly file: string; readonly row: number };
  close(): void;
}

/** `data.csv, row 3 (line 5)`: rows count from 0, as everywhere; lines from 1, as editors do. */
export function placeOf(table: Table, row: number, line: number | undefined): string {
  const place = table.fileOf?.(row) ?? { file: table.name, row };
  return `${place.file}, row ${place.row}${line === undefined ? '' : ` (line ${line})`}`;
}
