/** Bounds on untrusted data files. */

/** By default numpy refuses headers above 10,000 characters; names of string dtypes stay far below that (CWE-770). */
export const MAX_HEADER_BYTES: number = 64 * 1024;

/** numpy's own limit. */
export const MAX_RANK = 64;

/** A compressed array of an .npz is inflated as a whole, into a row store; stored ones are read in place, at any size (CWE-409). */
export const MAX_INFLATED_BYTES: number = 2 ** 31;

/** Arrays in one .npz (CWE-770). */
export const MAX_ENTRIES = 10_000;

/** Class counts are a vector in memory; a label above this is an error (CWE-770). */
export const MAX_CLASSES = 10_000_000;

/** Counts and weights are read as text in memory (CWE-770). */
export const MAX_TEXT_BYTES: number = 64 * 2 ** 20;

/**
 * Rows that are converted once (from CSV, Parquet, texts, IDX in gzip) stay in memory up to this size; beyond it they go to a temporary
 * file.
 */
export const STORE_MEMORY_BYTES: number = 64 * 2 ** 20;

/** {@link STORE_MEMORY_BYTES} is a multiple of this. */
export const STORE_BLOCK_BYTES: number = 2 ** 20;

/**
 * Deflate cannot shrink anything by more than 1032:1 (zlib's technical note); files that claim more are refused before inflating
 * (CWE-409).
 */
export const MAX_DEFLATE_RATIO = 1032;

/** A decoded image takes 3 bytes per pixel: 192 MiB at this size. Pillow warns above 89 million pixels (CWE-409). */
export const MAX_IMAGE_PIXELS: number = 2 ** 26;

/** An image's file is read into memory (CWE-770). */
export const MAX_IMAGE_BYTES: number = 128 * 2 ** 20;

/** Names of files are kept in memory (CWE-770). */
export const MAX_FILES = 20_000_000;

/** Of a preprocess file (CWE-770). */
export const MAX_CONFIG_BYTES: number = 2 ** 20;

/** One record of a CSV, which is held in memory (CWE-770). */
export const MAX_RECORD_BYTES: number = 16 * 2 ** 20;

/** Distinct labels in a column of names; more suggest the wrong column (CWE-770). */
export const MAX_CLASS_NAMES = 100_000;

/** A Parquet file's footer, decoded in memory (CWE-770). */
export const MAX_FOOTER_BYTES: number = 32 * 2 ** 20;

/** The bytes of one column in one row group of a Parquet file, read into memory (CWE-770). */
export const MAX_CHUNK_BYTES: number = 256 * 2 ** 20;

/** One page of a Parquet file, inflated; writers make them of about 1 MiB (CWE-409). */
export const MAX_PAGE_BYTES: number = 64 * 2 ** 20;

/** Inflated pages of one row group of a Parquet file that are kept for the rows that follow (CWE-770). */
export const INFLATED_PAGES_BYTES: number = 128 * 2 ** 20;

/** RFC 8878, 3.1.1.1.2, asks decoders for windows of 8 MiB; Zstandard's own levels take no more up to 19 (CWE-770). */
export const MAX_ZSTD_WINDOW: number = 8 * 2 ** 20;

/** Nesting depth of a Parquet file's footer, usually about 8 (CWE-674). */
export const MAX_THRIFT_DEPTH = 32;

/** Cells of a Parquet file that are decoded at a time, 8 to 16 bytes each. */
export const CELLS_AT_ONCE: number = 2 ** 21;

/** Values in one page of a Parquet file; a constant column may have its whole row group in one (CWE-770). */
export const MAX_PAGE_VALUES: number = 2 ** 22;

/** Characters in one text; models read some hundreds of tokens of it (CWE-770). */
export const MAX_TEXT_CHARACTERS: number = 2 ** 20;

/** Of a tokenizer.json; those of large vocabularies take about 20 MB (CWE-770). */
export const MAX_TOKENIZER_BYTES: number = 128 * 2 ** 20;

/** Distinct values in a column of categories; more suggest free text, or names of samples (CWE-770). */
export const MAX_CATEGORIES = 10_000;

/** The index of a shards folder, parsed in memory: some hundred bytes for each shard (CWE-770). */
export const MAX_SHARD_INDEX_BYTES: number = 256 * 2 ** 20;
