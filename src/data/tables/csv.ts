import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { extname } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { CsvError, type Parser, parse } from 'csv-parse';
import type { ErrorCode } from '../../errorCodes.ts';
import { LossgraftError, option } from '../../errors.ts';
import { MAX_RECORD_BYTES } from '../limits.ts';
import type { TableOptions } from '../options.ts';
import { isNumeric } from './numeric.ts';
import type { Table, TableRow } from './table.ts';

/**
 * Opens a CSV: RFC 4180, UTF-8, with or without a byte order mark; empty lines are skipped.
 *
 * @throws LossgraftError `csv-header`, and while reading `bad-csv` for ragged rows, bad quotes and bytes that are not UTF-8, with the
 * line.
 */
export async function openCsv(path: string, { delimiter, header = true }: TableOptions): Promise<Table> {
  const records = readRecords(path, delimiter ?? (extname(path).toLowerCase() === '.tsv' ? '\t' : ','));
  const first = await records.next();
  if (first.done) throw bad('csv-header', path, 'a first line', 'an empty file', 'Write the data again');
  const { record } = first.value;
  if (header) checkHeader(path, record);
  const rows = async function* (columns: readonly number[]): AsyncGenerator<TableRow> {
    const pick = ({ record: cells, line }: Record): TableRow => ({ cells: columns.map((i) => cells[i] ?? ''), line });
    try {
      if (!header) yield pick(first.value);
      for await (const next of records) yield pick(next);
    } finally {
      await records.return(undefined);
    }
  };
  return {
    name: path,
    columns: header ? record : record.map((_, i) => String(i)),
    rows,
    close: () => void records.return(undefined),
  };
}

interface Record {
  readonly record: readonly string[];
  readonly line: number;
}

async function* readRecords(path: string, delimiter: string): AsyncGenerator<Record, undefined> {
  const parser = parse({
    bom: true,
    delimiter,
    info: true,
    max_record_size: MAX_RECORD_BYTES,
    record_delimiter: ['\r\n', '\n', '\r'],
    skip_empty_lines: true,
  });
  let failure: unknown;
  pipeline(Readable.from(utf8Chunks(path), { objectMode: false }), parser, (error) => {
    failure ??= error;
  });
  try {
    for await (const item of parser) if (isRecord(item)) yield { record: item.record, line: item.info.lines };
  } catch (cause) {
    throw explain(path, failure ?? cause, parser);
  } finally {
    parser.destroy();
  }
}

function isRecord(item: unknown): item is { record: string[]; info: { lines: number } } {
  return typeof item === 'object' && item !== null && 'record' in item && 'info' in item;
}

/** The bytes of a file, which must be UTF-8. */
async function* utf8Chunks(path: string): AsyncGenerator<Uint8Array> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let lines = 1;
  const check = (chunk: Uint8Array | undefined): void => {
    try {
      decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      const where = `${path}, line ${lines + linesBefore(chunk)}`;
      throw bad('bad-csv', where, 'UTF-8', 'other bytes', 'Save the file as UTF-8');
    }
  };
  for await (const chunk of createReadStream(path)) {
    if (!(chunk instanceof Uint8Array)) continue;
    check(chunk);
    yield chunk;
    lines += countLines(chunk);
  }
  check(undefined);
}

const NEWLINE = 10;

/**
 * How many lines end before one that is not UTF-8. A chunk's first line may begin within a character, so it counts only if no other line
 * is invalid.
 */
function linesBefore(chunk: Uint8Array = new Uint8Array()): number {
  for (let start = 0, line = 0; start <= chunk.length; line++) {
    const at = chunk.indexOf(NEWLINE, start);
    const end = at < 0 ? chunk.length : at;
    if (line > 0 && !isUtf8(chunk.subarray(start, end))) return line;
    start = end + 1;
  }
  return 0;
}

function countLines(chunk: Uint8Array): number {
  let count = 0;
  for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, at + 1)) count++;
  return count;
}

function checkHeader(path: string, names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (names.some((name) => name.trim() === '')) {
    throw bad(
      'csv-header',
      path,
      'a name for every column in the first line',
      `column ${names.findIndex((name) => name.trim() === '')} without`,
      'Name it',
    );
  }
  if (twice !== undefined)
    throw bad('csv-header', path, 'unique names in the first line', `${twice} twice`, 'Rename it');
  if (!names.every(isNumeric)) return;
  throw bad(
    'csv-header',
    path,
    'column names in the first line',
    `numbers: ${names.slice(0, 4).join(', ')}`,
    `Add ${option('header', false)} if the file has no line of names`,
  );
}

function explain(path: string, cause: unknown, { info }: Parser): LossgraftError {
  if (cause instanceof LossgraftError) return cause;
  if (!(cause instanceof CsvError)) {
    return bad(
      'open-failed',
      path,
      'a readable file',
      cause instanceof Error ? cause.message : String(cause),
      'Check the path and its permissions',
    );
  }
  const where = `${path}, line ${info.lines}`;
  switch (cause.code) {
    case 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH':
      return bad('ragged-row', where, 'as many cells as in the first line', cause.message, 'Correct the row');
    case 'CSV_MAX_RECORD_SIZE':
      return bad(
        'csv-record-too-large',
        where,
        `at most ${MAX_RECORD_BYTES} bytes in a row`,
        'more',
        'Is a quote left open, or is it not a CSV?',
      );
    default:
      return bad(
        'bad-csv',
        where,
        'cells as RFC 4180 has them',
        cause.message,
        'Quote cells that contain quotes, and double those quotes',
      );
  }
}

function bad(code: ErrorCode, where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code, where, expected, found, hint });
}
