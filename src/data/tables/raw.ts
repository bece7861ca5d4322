/** A column of a table's cells, read once. */
export interface RawColumn {
  readonly name: string;
  /** `empty` if every cell is missing. */
  readonly kind: 'number' | 'category' | 'empty';
  /** The categories, in the order of first appearance; a cell holds the index. */
  readonly values: readonly string[];
  /** Where each of them occurs first. */
  readonly places: readonly string[];
  /** The first missing cell. */
  readonly gap: string | undefined;
  /** Whether it seems to name samples: no value repeats, and it has such a name or holds texts. */
  readonly isIdentifier: boolean;
}

/** The features of a table as they are: numbers in float64, indices of categories, NaN for missing cells. */
export interface RawTable {
  readonly name: string;
  readonly size: number;
  readonly columns: readonly RawColumn[];
  /** Whether their order was requested. */
  readonly isChosen: boolean;
  /** Rows `start` to `start + count`, all columns. */
  read(start: number, count: number): Float64Array;
  close(): void;
}
