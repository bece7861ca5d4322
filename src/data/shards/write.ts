import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { breather } from '../../breather.ts';
import { LossgraftError, option } from '../../errors.ts';
import { replaceFolder, writeFailed, writeWhole } from '../../files/whole.ts';
import { pick } from '../../options/check.ts';
import { isText, type Tensor } from '../../tensor.ts';
import { joinData } from '../../tensorRows.ts';
import { VERSION } from '../../version.ts';
import type { Dataset } from '../dataset.ts';
import { dataRows } from '../options.ts';
import { classCountsOf } from './classCounts.ts';
import {
  FORMAT,
  FORMAT_VERSION,
  INDEX_NAME,
  type Shard,
  type ShardedColumn,
  type ShardedTable,
  type ShardIndex,
} from './format.ts';
import { hashedWriter, writeFileOf, writeTextFiles } from './hashedWriter.ts';
import { rowBytes, type SourceColumn, type Sources, sourcesOf } from './sources.ts';

/** How shards are written. */
export interface ShardWriting {
  /** Of each shard; default: so that the largest is at most 64 MiB. */
  readonly rowsPerShard?: number | undefined;
  /** Replaces a shards folder of that name. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after every piece, with the rows of all columns. */
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** Rows read at a time. */
const ROWS_AT_ONCE = 256;
/** Of the largest column's shards. */
const SHARD_BYTES: number = 64 * 2 ** 20;
const MOST_ROWS = 65_536;

/**
 * Writes data as a folder of shards, which `openData` opens: the same rows, labels and names, bit for bit. The folder is complete or not
 * there.
 *
 * @returns its index.
 * @throws LossgraftError `output-exists`, `write-failed`, and as reading the rows does.
 */
export async function writeShards(data: Dataset, folder: string, options: ShardWriting = {}): Promise<ShardIndex> {
  refuseFolder(folder, options.force ?? false);
  const sources = sourcesOf(data);
  const rowsPerShard = options.rowsPerShard ?? (await usualRows(sources));
  const progress = progressOf(sources, options);
  try {
    return await replaceFolder(folder, async (temporary) => {
      const columns: ShardedColumn[] = [];
      for (const [i, source] of sources.columns.entries())
        columns.push(await writeColumn(temporary, i, source, { rows: sources.rows, rowsPerShard, progress }));
      const index = await indexOf(data, sources, columns, rowsPerShard);
      writeWhole(join(temporary, INDEX_NAME), (fd) => writeFileSync(fd, `${JSON.stringify(index, undefined, 1)}\n`));
      return index;
    });
  } catch (cause) {
    throw cause instanceof Error && 'syscall' in cause ? writeFailed(folder, cause) : cause;
  }
}

/** Only a folder of shards gives way to another. */
function refuseFolder(folder: string, force: boolean): void {
  if (!existsSync(folder)) return;
  const isOurs = existsSync(join(folder, INDEX_NAME));
  if (force && isOurs) return;
  throw new LossgraftError({
    code: 'output-exists',
    where: folder,
    expected: 'no folder of that name yet',
    found: isOurs ? 'shards' : 'something else',
    hint: isOurs ? `Choose another name, or add ${option('force')} to replace them` : 'Choose another name',
  });
}

/** As many as fit into a shard of the column with the largest rows; a power of two. */
async function usualRows({ columns }: Sources): Promise<number> {
  let most = 1;
  for (const column of columns) most = Math.max(most, rowBytes(column, await column.read(0, 1)));
  return Math.max(1, Math.min(MOST_ROWS, 2 ** Math.floor(Math.log2(SHARD_BYTES / most))));
}

type Progress = (rows: number) => Promise<void>;

function progressOf({ rows, columns }: Sources, { signal, onProgress }: ShardWriting): Progress {
  const breathe = breather(signal);
  let done = 0;
  return async (more) => {
    await breathe();
    done += more;
    onProgress?.({ done, total: rows * columns.length });
  };
}

interface Cutting {
  readonly rows: number;
  readonly rowsPerShard: number;
  readonly progress: Progress;
}

async function writeColumn(
  folder: string,
  position: number,
  source: SourceColumn,
  { rows, rowsPerShard, progress }: Cutting,
): Promise<ShardedColumn> {
  const { about, tables } = source;
  const stem = `${position}-${plain(about.name ?? about.role)}`;
  const shards: Shard[] = [];
  for (let start = 0; start < rows; start += rowsPerShard) {
    const count = Math.min(rowsPerShard, rows - start);
    const name = `${stem}-${String(shards.length).padStart(5, '0')}`;
    const write = about.stored === 'utf-8' ? writeTexts : writeNumbers;
    shards.push({ ...(await write(folder, name, source, { start, count, progress })), rows: count });
  }
  if (tables === undefined) return { ...about, shards };
  const scale = { dtype: 'float32', dims: [tables.length, 256], data: joinData(tables) } as const;
  return { ...about, scale: writeFileOf(folder, `${stem}-scale.npy`, scale), shards };
}

/** The part of a name that any file system takes. */
function plain(name: string): string {
  return name.replace(/[^\w-]+/g, '_').slice(0, 60);
}

interface Piece {
  readonly start: number;
  readonly count: number;
  readonly progress: Progress;
}

async function eachPiece(
  { read }: SourceColumn,
  { start, count, progress }: Piece,
  use: (tensor: Tensor) => void,
): Promise<void> {
  for (let done = 0; done < count; done += ROWS_AT_ONCE) {
    const more = Math.min(ROWS_AT_ONCE, count - done);
    use(await read(start + done, more));
    await progress(more);
  }
}

async function writeNumbers(folder: string, name: string, source: SourceColumn, piece: Piece) {
  const { dtype, shape, stored } = source.about;
  const own = stored === 'scaled-bytes' ? 'uint8' : dtype;
  const writer = hashedWriter(folder, `${name}.npy`, own, [piece.count, ...shape]);
  try {
    await eachPiece(source, piece, ({ data }) => writer.add(data));
    return writer.finish();
  } finally {
    writer.close();
  }
}

/** The bytes of texts are known only when all are there. */
async function writeTexts(folder: string, name: string, source: SourceColumn, piece: Piece) {
  const texts: string[] = [];
  await eachPiece(source, piece, ({ data }) => {
    if (isText(data)) for (const text of data) texts.push(text);
  });
  return writeTextFiles(folder, name, texts);
}

async function indexOf(
  data: Dataset,
  { rows, notes }: Sources,
  columns: readonly ShardedColumn[],
  rowsPerShard: number,
): Promise<ShardIndex> {
  const { name, table, classNames, labelsFrom, classPlaces, cellsOf, source } = data;
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    lossgraft: VERSION,
    rows,
    rowsPerShard,
    classes: {
      names: classNames ?? null,
      from: labelsFrom ?? null,
      places: classPlaces ?? null,
      counts: await classCountsOf(data),
    },
    provenance: { name, data: source ?? null, notes: [...(data.notes ?? []), ...notes] },
    table: table
      ? { columns: table.raw.columns, isChosen: table.raw.isChosen, options: plainOptions(table.options) }
      : null,
    cells: table || cellsOf === undefined ? null : cellsOf(0).map(({ column }) => column),
    columns,
  };
}

/** Those that say what becomes of cells. */
function plainOptions(options: ShardedTable['options']): ShardedTable['options'] {
  const { missing, categories, categoryOrder, unknownCategory, featureColumns } = dataRows;
  return pick({ missing, categories, categoryOrder, unknownCategory, featureColumns }, options);
}
