import protobuf, { type Field, type Type, type Writer } from 'protobufjs';
import { ONNX_SCHEMA } from './schema.ts';

const root = protobuf.Root.fromJSON({ nested: { onnx: { nested: { ...ONNX_SCHEMA } } } });
root.resolveAll();

/** A 64-bit integer for protobufjs, which would silently encode a bigint as 0. */
export interface Int64 {
  readonly low: number;
  readonly high: number;
  readonly unsigned: boolean;
}

export function int64(value: bigint): Int64 {
  return { low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)), unsigned: false };
}

/** What protobufjs encodes correctly; no bigint. */
export type Encodable =
  | number
  | string
  | Int64
  | Uint8Array
  | readonly Encodable[]
  | { readonly [field: string]: Encodable | undefined };

/**
 * Encodes a small message of {@link ONNX_SCHEMA}, fields in ascending order. protobufjs's own encoders are code that it generates at run
 * time, which a page under a strict Content Security Policy does not allow.
 */
export function encodeMessage(name: string, value: Message): Uint8Array {
  const writer = protobuf.Writer.create();
  writeMessage(writer, root.lookupType(`onnx.${name}`), value);
  return writer.finish();
}

type Message = { readonly [field: string]: Encodable | undefined };

function writeMessage(writer: Writer, type: Type, message: Message): void {
  const fields = [...type.fieldsArray].sort((a, b) => a.id - b.id);
  for (const field of fields) {
    const value = message[field.name];
    if (value === undefined) continue;
    const values: readonly Encodable[] = field.repeated && Array.isArray(value) ? value : [value];
    if (field.packed && values.length > 0) {
      writer.uint32((field.id << 3) | LENGTH_DELIMITED).fork();
      for (const each of values) writeScalar(writer, field, each);
      writer.ldelim();
    } else for (const each of values) writeField(writer, field, each);
  }
}

const LENGTH_DELIMITED = 2;
/** Of scalar types. */
const WIRE_TYPES = new Map(Object.entries(protobuf.types.basic));

function writeField(writer: Writer, field: Field, value: Encodable): void {
  const { id, resolvedType } = field;
  if (resolvedType instanceof protobuf.Type) {
    if (!isMessage(value)) throw unwritten(field, value);
    writer.uint32((id << 3) | LENGTH_DELIMITED).fork();
    writeMessage(writer, resolvedType, value);
    writer.ldelim();
    return;
  }
  writer.uint32((id << 3) | (WIRE_TYPES.get(field.type) ?? LENGTH_DELIMITED));
  writeScalar(writer, field, value);
}

function writeScalar(writer: Writer, field: Field, value: Encodable): void {
  const { type } = field;
  if (type === 'string' && typeof value === 'string') writer.string(value);
  else if (type === 'bytes' && value instanceof Uint8Array) writer.bytes(value);
  else if (type === 'float' && typeof value === 'number') writer.float(value);
  else if (type === 'double' && typeof value === 'number') writer.double(value);
  else if (type === 'int32' && typeof value === 'number') writer.int32(value);
  else if (type === 'int64' && (typeof value === 'number' || isInt64(value))) writer.int64(value);
  else if (type === 'uint64' && (typeof value === 'number' || isInt64(value))) writer.uint64(value);
  else throw unwritten(field, value);
}

function isMessage(value: Encodable): value is Message {
  return typeof value === 'object' && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function isInt64(value: Encodable): value is Int64 {
  return isMessage(value) && 'low' in value && 'high' in value;
}

function unwritten({ name, type }: Field, value: Encodable): Error {
  return new Error(`${name}: a field of type ${type} cannot hold ${typeof value}`);
}
