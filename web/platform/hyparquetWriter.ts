export { ParquetWriter } from 'hyparquet-writer';

/** A page downloads what it makes. */
export function fileWriter(): never {
  throw new Error('a page writes no Parquet files: use lossgraft on the command line for this');
}
