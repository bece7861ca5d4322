import protobuf from 'protobufjs';
import { ONNX_SCHEMA } from './schema.ts';

const root = protobuf.Root.fromJSON({ nested: { onnx: { nested: { ...ONNX_SCHEMA } } } });
root.resolveAll();

/** A 64-bit integer as protobufjs wants it: a bigint it would encode as 0, without a word. */
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

/** Encodes a small message of {@link ONNX_SCHEMA}, fields in ascending order. */
export function encodeMessage(name: string, value: { readonly [field: string]: Encodable | undefined }): Uint8Array {
  return root.lookupType(`onnx.${name}`).encode(value).finish();
}
