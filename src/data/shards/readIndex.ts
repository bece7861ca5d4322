import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LossgraftError } from '../../errors.ts';
import { isRecord } from '../../isRecord.ts';
import { DATA_TYPES } from '../../tensor.ts';
import { MAX_SHARD_INDEX_BYTES } from '../limits.ts';
import { FORMAT, FORMAT_VERSION, INDEX_NAME, type ShardIndex } from './format.ts';

/** Whether a folder is one of shards. */
export function holdsShards(folder: string): boolean {
  return existsSync(join(folder, INDEX_NAME));
}

/**
 * Reads the index of a shards folder.
 *
 * @throws LossgraftError `bad-shards` if it is damaged or of another version.
 */
export function readIndex(folder: string): ShardIndex {
  const path = join(folder, INDEX_NAME);
  const { size } = statSync(path);
  if (size > MAX_SHARD_INDEX_BYTES) throw badShard(path, `at most ${MAX_SHARD_INDEX_BYTES} bytes`, `${size}`);
  const found = parsed(path);
  if (!isRecord(found) || found.format !== FORMAT)
    throw badShard(path, `an index of shards, "format": "${FORMAT}"`, 'another file');
  if (found.version !== FORMAT_VERSION)
    throw badShard(path, `version ${FORMAT_VERSION} of the format`, `${found.version}`);
  const wrong = Object.entries(CHECKS).find(([key, fits]) => !fits(found[key]));
  if (wrong) throw badShard(path, `a valid ${wrong[0]}`, shown(found[wrong[0]]));
  const index = found as unknown as ShardIndex;
  refuseGaps(path, index);
  return index;
}

function parsed(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    if (cause instanceof SyntaxError) throw badShard(path, 'JSON', cause.message);
    throw cause;
  }
}

type Check = (value: unknown) => boolean;

const isText: Check = (value) => typeof value === 'string';
const isWhole: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;
const isNumber: Check = (value) => Number.isFinite(value);
const isIn =
  (...known: readonly unknown[]): Check =>
  (value) =>
    known.includes(value);
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const nullable =
  (check: Check): Check =>
  (value) =>
    value === null || check(value);
const all =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const record =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries(checks).every(([key, fits]) => fits(value[key]));

/** A name within the folder, never a path. */
const isFileName: Check = (value) => typeof value === 'string' && /^[\w-][\w.-]*$/.test(value);
const file = { file: isFileName, bytes: isWhole, sha256: (value: unknown) => /^[0-9a-f]{64}$/.test(String(value)) };

const CHECKS: Readonly<Record<keyof Omit<ShardIndex, 'format' | 'version'>, Check>> = {
  lossgraft: isText,
  rows: isWhole,
  rowsPerShard: (value) => isWhole(value) && value !== 0,
  columns: all(
    record({
      role: isIn('input', 'labels', 'soft-labels', 'table', 'source', 'shown'),
      name: nullable(isText),
      isUnnamed: maybe(isIn(true)),
      dtype: (value) => Object.hasOwn(DATA_TYPES, String(value)),
      shape: all(isWhole),
      stored: isIn('as-is', 'scaled-bytes', 'utf-8'),
      scale: maybe(record(file)),
      black: maybe(all(isNumber)),
      white: maybe(all(isNumber)),
      mayBeNaN: maybe(isIn(true)),
      shards: all(record({ ...file, rows: isWhole, ends: maybe(record(file)) })),
    }),
  ),
  classes: record({
    names: nullable(all(isText)),
    from: isIn('names', 'numbers', 'option', 'columns', null),
    places: nullable(all(isText)),
    counts: nullable(all(isWhole)),
  }),
  table: nullable(
    record({
      columns: all(
        record({
          name: isText,
          kind: isIn('number', 'category', 'empty'),
          values: all(isText),
          places: all(isText),
          gap: maybe(isText),
          isIdentifier: isIn(true, false),
        }),
      ),
      isChosen: isIn(true, false),
      options: isRecord,
    }),
  ),
  cells: nullable(all(isText)),
  provenance: record({ data: nullable(isRecord), name: isText, notes: all(isText) }),
};

/** Every column has all rows, in shards of the stated size. */
function refuseGaps(path: string, { rows, rowsPerShard, columns }: ShardIndex): void {
  const expected = Array.from({ length: Math.ceil(rows / rowsPerShard) }, (_, i) =>
    Math.min(rowsPerShard, rows - i * rowsPerShard),
  );
  for (const { name, role, shards } of columns) {
    const found = shards.map((shard) => shard.rows);
    if (String(found) !== String(expected))
      throw badShard(path, `shards of ${expected.join(', ')} rows in column ${name ?? role}`, found.join(', '));
  }
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}

/** The error for what is not what the format says. */
export function badShard(where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'bad-shards',
    where,
    expected,
    found,
    hint: 'Make the shards again from the data that they came from',
  });
}
