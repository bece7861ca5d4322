import { DATA_TYPES, type DataType } from '../tensor.ts';
import type { WireReader } from './reader.ts';
import type { Span, TensorProto } from './types.ts';
import { LEN } from './wire.ts';

const TYPE_NAMES: readonly string[] = Object.keys(DATA_TYPES);

/** The data type of a TensorProto.DataType number, `undefined` for one that this library does not know. */
export function dataTypeOf(number: number): DataType | undefined {
  return TYPE_NAMES.find((name): name is DataType => DATA_TYPES[name as DataType] === number);
}

/** float_data, int32_data, string_data, int64_data, double_data, uint64_data. */
const TYPED_FIELDS: ReadonlySet<number> = new Set([4, 5, 6, 7, 10, 11]);
const EXTERNAL = 1;

/** A view of the TensorProto at `span`; its elements stay in the file. */
export function scanTensor(reader: WireReader, span: Span): TensorProto {
  const dims: number[] = [];
  const typed = new Runs();
  const entries = new Map<string, string>();
  let raw: Span | undefined;
  let name = '';
  let dtypeNumber = 0;
  let location = 0;
  reader.walk(span, (r) => {
    if (r.number === 1) r.bigints('TensorProto.dims', (d) => dims.push(dimension(r, d)));
    else if (r.number === 2) dtypeNumber = r.int('TensorProto.data_type');
    else if (r.number === 3) throw r.error('unsupported-segment', 'a whole tensor', 'a TensorProto.segment');
    else if (r.number === 8) name = r.string('TensorProto.name');
    else if (r.number === 9) raw = rawSpan(r);
    else if (r.number === 13) scanEntry(r, 'TensorProto.external_data', entries);
    else if (r.number === 14) location = r.int('TensorProto.data_location');
    else if (TYPED_FIELDS.has(r.number)) typed.add(r);
  });
  const view = { span, name, dtype: dataTypeOf(dtypeNumber), dtypeNumber, dims };
  if (location === EXTERNAL) return { ...view, payload: { kind: 'external', entries } };
  if (raw === undefined) return { ...view, payload: { kind: 'typed', fields: typed.spans } };
  return { ...view, payload: { kind: 'raw', offset: raw.body, length: raw.end - raw.body } };
}

/** Adds the StringStringEntryProto at the reader's field to `entries`; of equal keys the last one holds. */
export function scanEntry(reader: WireReader, what: string, entries: Map<string, string>): void {
  reader.expect(LEN, what);
  let key = '';
  let value = '';
  reader.walk(reader.span, (r) => {
    if (r.number === 1) key = r.string(`${what}.key`);
    else if (r.number === 2) value = r.string(`${what}.value`);
  });
  entries.set(key, value);
}

function rawSpan(reader: WireReader): Span {
  reader.expect(LEN, 'TensorProto.raw_data');
  return reader.span;
}

function dimension(reader: WireReader, value: bigint): number {
  const dim = Number(value);
  if (dim >= 0 && Number.isSafeInteger(dim)) return dim;
  throw reader.error('bad-dimension', 'a dimension of 0 to 2^53', String(value));
}

/** Neighbouring fields of one number become one span, so that 10^7 unpacked floats are not 10^7 objects. */
class Runs {
  readonly spans: Span[] = [];
  #number = 0;

  add(reader: WireReader): void {
    const last = this.spans.at(-1);
    if (last?.end === reader.start && this.#number === reader.number) {
      this.spans[this.spans.length - 1] = { ...last, end: reader.end };
    } else {
      this.spans.push(reader.span);
      this.#number = reader.number;
    }
  }
}
