import type { ByteSource } from '../files/bytes.ts';
import type { TensorData } from '../tensor.ts';
import { WireReader } from './reader.ts';
import type { Span } from './types.ts';
import { LEN } from './wire.ts';

type NumericData = Exclude<TensorData, readonly string[]>;

const FLOAT_DATA = 4;
const INT32_DATA = 5;
const STRING_DATA = 6;
const DOUBLE_DATA = 10;

const FIELD_NAMES: ReadonlyMap<number, string> = new Map([
  [FLOAT_DATA, 'float_data'],
  [INT32_DATA, 'int32_data'],
  [STRING_DATA, 'string_data'],
  [7, 'int64_data'],
  [DOUBLE_DATA, 'double_data'],
  [11, 'uint64_data'],
]);

function widthOf(field: number): number | undefined {
  if (field === FLOAT_DATA) return 4;
  return field === DOUBLE_DATA ? 8 : undefined;
}

/** Each field in runs of fields; errors `payload-type` for a field of another number. */
function eachField(source: ByteSource, runs: readonly Span[], field: number, what: string, on: OnField): void {
  const reader = new WireReader(source);
  for (const { start, end } of runs) {
    reader.seek(start);
    while (reader.next(end)) {
      if (reader.number !== field) {
        const found = FIELD_NAMES.get(reader.number) ?? `field ${reader.number}`;
        throw reader.error('payload-type', `${what} in ${FIELD_NAMES.get(field)}`, found);
      }
      on(reader);
    }
  }
}
type OnField = (reader: WireReader) => void;

/** How many items the runs hold, counted before anything is allocated. */
export function countItems(source: ByteSource, runs: readonly Span[], field: number, what: string): number {
  const width = widthOf(field);
  let count = 0;
  eachField(source, runs, field, what, (r) => {
    if (r.wire !== LEN) count++;
    else if (width === undefined) r.packedVarints(() => count++);
    else if ((r.end - r.body) % width === 0) count += (r.end - r.body) / width;
    else throw r.error('malformed', `${what} in items of ${width} bytes`, `${r.end - r.body} bytes`);
  });
  return count;
}

/** Fills `data` (whose length {@link countItems} gave) from the runs. */
export function readItems(source: ByteSource, runs: readonly Span[], field: number, data: NumericData): void {
  let at = 0;
  const what = 'items';
  const width = widthOf(field);
  if (width !== undefined) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    eachField(source, runs, field, what, (r) => {
      if (r.wire !== LEN) r.expect(width === 4 ? 5 : 1, FIELD_NAMES.get(field) ?? what);
      source.readInto(bytes.subarray(at, at + r.end - r.body), r.body);
      at += r.end - r.body;
    });
    return;
  }
  const set = (low: number, high: number): void => {
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
      data[at++] = (BigInt(high) << 32n) | BigInt(low);
    } else data[at++] = low;
  };
  eachField(source, runs, field, what, (r) => r.varints(FIELD_NAMES.get(field) ?? what, set));
}

/** The runs' bytes with `items` in place of theirs, for fields of fixed width; as many bytes as {@link readItems} reads. */
export function replaceItems(
  source: ByteSource,
  runs: readonly Span[],
  field: number,
  items: Uint8Array,
): Uint8Array[] {
  let at = 0;
  return runs.map((run) => {
    const bytes = new Uint8Array(run.end - run.start);
    source.readInto(bytes, run.start);
    eachField(source, [run], field, 'items', (r) => {
      bytes.set(items.subarray(at, at + r.end - r.body), r.body - run.start);
      at += r.end - r.body;
    });
    return bytes;
  });
}

/** string_data as text. Errors `invalid-utf8`, `payload-type`. */
export function readStrings(source: ByteSource, runs: readonly Span[]): string[] {
  const strings: string[] = [];
  eachField(source, runs, STRING_DATA, 'strings', (r) => strings.push(r.string('TensorProto.string_data')));
  return strings;
}
