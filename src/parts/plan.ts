/** One of the parts that rows are divided into, counted from 1. */
export interface PartNumber {
  readonly part: number;
  readonly of: number;
}

/** More parts than batch systems start. */
const MOST_PARTS = 1_000_000;

/** `3/16`, or `undefined` for other texts. */
export function parsePart(text: string): PartNumber | undefined {
  const [, part = '', of = ''] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(text.trim()) ?? [];
  const found = { part: Number(part), of: Number(of) };
  return found.part >= 1 && found.part <= found.of && found.of <= MOST_PARTS ? found : undefined;
}

/** Rows `first` to, without, `last`. */
export interface RowRange {
  readonly first: number;
  readonly last: number;
}

/** The rows of a part: whole batches, so that a model is fed what it is fed in one process. With more parts than batches some are empty. */
export function rowsOfPart({ part, of }: PartNumber, total: number, batchSize: number): RowRange {
  const batches = Math.ceil(total / batchSize);
  const cut = (i: number): number => Math.min(total, Math.floor((i * batches) / of) * batchSize);
  return { first: cut(part - 1), last: cut(part) };
}
