import { MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTE_ELEMENTS } from './limits.ts';
import type { WireReader } from './reader.ts';
import { scanTensor } from './scanTensor.ts';
import type { Attribute, GraphProto, NodeProto, Span, TensorProto } from './types.ts';
import { LEN } from './wire.ts';

/** Scans a nested graph; handed in, because graphs hold nodes and nodes hold graphs. */
export type ScanGraph = (reader: WireReader, span: Span) => GraphProto;

/** 'ai.onnx' is another spelling of ''. */
export function normalDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

const NO_ATTRIBUTES: ReadonlyMap<string, Attribute> = new Map();

/** A view of the NodeProto at `span`. Of two attributes of one name the last one holds, as in ONNX Runtime. */
export function scanNode(reader: WireReader, span: Span, scanGraph: ScanGraph): NodeProto {
  const inputs: string[] = [];
  const outputs: string[] = [];
  let attributes: Map<string, Attribute> | undefined;
  let name = '';
  let opType = '';
  let domain = '';
  let overload = '';
  reader.walk(span, (r) => {
    if (r.number === 1) inputs.push(r.string('NodeProto.input'));
    else if (r.number === 2) outputs.push(r.string('NodeProto.output'));
    else if (r.number === 3) name = r.string('NodeProto.name');
    else if (r.number === 4) opType = r.string('NodeProto.op_type');
    else if (r.number === 5) {
      attributes ??= new Map();
      attributes.set(...scanAttribute(r, scanGraph));
    } else if (r.number === 7) domain = normalDomain(r.string('NodeProto.domain'));
    else if (r.number === 8) overload = r.string('NodeProto.overload');
  });
  return { span, name, opType, domain, overload, inputs, outputs, attributes: attributes ?? NO_ATTRIBUTES };
}

/** The fields of an AttributeProto, before its type decides which of them counts. */
interface Fields {
  name: string;
  type: number;
  reference: string;
  other: number;
  f?: number;
  i?: bigint;
  s?: Span;
  t?: TensorProto;
  g?: GraphProto;
  floats?: number[];
  ints?: bigint[];
  strings?: Span[];
  tensors?: TensorProto[];
  graphs?: GraphProto[];
}

/** Name and value of the AttributeProto at the reader's field. */
export function scanAttribute(reader: WireReader, scanGraph: ScanGraph): [string, Attribute] {
  reader.expect(LEN, 'AttributeProto');
  const { span } = reader;
  const fields: Fields = { name: '', type: 0, reference: '', other: 0 };
  reader.walk(span, (r) => scanField(r, fields, scanGraph));
  return [fields.name, attributeOf(reader, span, fields)];
}

/** AttributeProto.AttributeType by the number of the field that holds the value: for files without a type (IR 1). */
const TYPE_OF_FIELD: ReadonlyMap<number, number> = new Map([
  [2, 1],
  [3, 2],
  [4, 3],
  [5, 4],
  [6, 5],
  [7, 6],
  [8, 7],
  [9, 8],
  [10, 9],
  [11, 10],
  [14, 13],
  [15, 14],
  [22, 11],
  [23, 12],
]);

function scanField(r: WireReader, fields: Fields, scanGraph: ScanGraph): void {
  const { number } = r;
  fields.other = TYPE_OF_FIELD.get(number) ?? fields.other;
  if (number === 1) fields.name = r.string('AttributeProto.name');
  else if (number === 2) fields.f = r.float('AttributeProto.f');
  else if (number === 3) fields.i = r.bigint('AttributeProto.i');
  else if (number === 4) fields.s = bytesSpan(r, 'AttributeProto.s');
  else if (number === 5) {
    r.once(fields.t, 'AttributeProto.t');
    fields.t = scanTensor(r, bytesSpan(r, 'AttributeProto.t'));
  } else if (number === 6) {
    r.once(fields.g, 'AttributeProto.g');
    fields.g = scanGraph(r, bytesSpan(r, 'AttributeProto.g'));
  } else if (number === 7) {
    r.floats('AttributeProto.floats', (value) => {
      fields.floats = withLimit(fields.floats, value);
    });
  } else if (number === 8) {
    r.bigints('AttributeProto.ints', (value) => {
      fields.ints = withLimit(fields.ints, value);
    });
  } else if (number === 9) fields.strings = withLimit(fields.strings, bytesSpan(r, 'AttributeProto.strings'));
  else if (number === 10) {
    fields.tensors ??= [];
    fields.tensors.push(scanTensor(r, bytesSpan(r, 'AttributeProto.tensors')));
  } else if (number === 11) {
    fields.graphs ??= [];
    fields.graphs.push(scanGraph(r, bytesSpan(r, 'AttributeProto.graphs')));
  } else if (number === 20) fields.type = r.int('AttributeProto.type');
  else if (number === 21) fields.reference = r.string('AttributeProto.ref_attr_name');
}

function bytesSpan(reader: WireReader, what: string): Span {
  reader.expect(LEN, what);
  return reader.span;
}

/** One beyond the limit stays as the mark of a list that is too long for a view. */
function withLimit<T>(list: T[] | undefined, value: T): T[] {
  if (list === undefined) return [value];
  if (list.length <= MAX_ATTRIBUTE_ELEMENTS) list.push(value);
  return list;
}

function attributeOf(reader: WireReader, span: Span, fields: Fields): Attribute {
  if (fields.reference !== '') return { type: 'reference', value: fields.reference };
  const type = fields.type === 0 ? fields.other : fields.type;
  const other: Attribute = { type: 'other', value: type };
  switch (type) {
    case 1:
      return { type: 'float', value: fields.f ?? 0 };
    case 2:
      return { type: 'int', value: fields.i ?? 0n };
    case 3:
      return stringAttribute(reader, fields.s) ?? other;
    case 4:
      return { type: 'tensor', value: fields.t ?? missing(reader, span, fields.name, 't') };
    case 5:
      return { type: 'graph', value: fields.g ?? missing(reader, span, fields.name, 'g') };
    case 6:
      return tooLong(fields.floats) ? other : { type: 'floats', value: fields.floats ?? [] };
    case 7:
      return tooLong(fields.ints) ? other : { type: 'ints', value: fields.ints ?? [] };
    case 8:
      return stringsAttribute(reader, fields.strings ?? []) ?? other;
    case 9:
      return { type: 'tensors', value: fields.tensors ?? [] };
    case 10:
      return { type: 'graphs', value: fields.graphs ?? [] };
    default:
      return other;
  }
}

function tooLong(list: readonly unknown[] = []): boolean {
  return list.length > MAX_ATTRIBUTE_ELEMENTS;
}

function missing(reader: WireReader, span: Span, name: string, field: string): never {
  throw reader.error('attribute-without-value', `field ${field} in attribute "${name}"`, 'none', span.start);
}

function stringAttribute(reader: WireReader, span: Span | undefined): Attribute | undefined {
  if (span === undefined) return { type: 'string', value: '' };
  if (span.end - span.body > MAX_ATTRIBUTE_BYTES) return undefined;
  const value = reader.text(span.body, span.end);
  return value === undefined ? undefined : { type: 'string', value };
}

function stringsAttribute(reader: WireReader, spans: readonly Span[]): Attribute | undefined {
  const bytes = spans.reduce((n, { body, end }) => n + end - body, 0);
  if (tooLong(spans) || bytes > MAX_ATTRIBUTE_BYTES) return undefined;
  const value: string[] = [];
  for (const { body, end } of spans) {
    const text = reader.text(body, end);
    if (text === undefined) return undefined;
    value.push(text);
  }
  return { type: 'strings', value };
}
