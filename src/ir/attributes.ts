import { LossgraftError } from '../errors.ts';
import type { Attribute, AttributeInit } from '../onnx/types.ts';
import type { Node } from './graph.ts';

type AnyAttribute = Attribute | AttributeInit;
type AttributeType = AnyAttribute['type'];
type AttributeValues = { readonly [T in AttributeType]: Extract<AnyAttribute, { type: T }>['value'] };

/** A node's name and operator, for errors. */
export function describeNode(node: Node): string {
  const op = node.domain === '' ? node.opType : `${node.domain}::${node.opType}`;
  const output = node.outputs.find((value) => value !== undefined);
  return `node "${node.name || output?.name || ''}" (${op})`;
}

/** The attribute's value if present. @throws LossgraftError `attribute-type` if it has another type. */
export function attribute<T extends AttributeType>(node: Node, name: string, type: T): AttributeValues[T] | undefined {
  const found = node.attributes.get(name);
  if (found === undefined) return undefined;
  if (found.type === type) return found.value as AttributeValues[T];
  throw new LossgraftError({
    code: 'attribute-type',
    where: `${describeNode(node)}, attribute "${name}"`,
    expected: `the type ${type}`,
    found: found.type,
    hint: 'The model is malformed; export it again',
  });
}

export function intAttribute(node: Node, name: string, fallback: number): number {
  const value = attribute(node, name, 'int');
  return value === undefined ? fallback : toSafe(value);
}

export function intsAttribute(node: Node, name: string): number[] | undefined {
  return attribute(node, name, 'ints')?.map(toSafe);
}

export function floatAttribute(node: Node, name: string, fallback: number): number {
  return attribute(node, name, 'float') ?? fallback;
}

export function stringAttribute(node: Node, name: string, fallback: string): string {
  return attribute(node, name, 'string') ?? fallback;
}

const MAX = BigInt(Number.MAX_SAFE_INTEGER);

/** An int64 as a number. Exporters write INT64_MAX for "to the end", so values beyond ±2^53 saturate there. */
export function toSafe(value: bigint): number {
  if (value > MAX) return Number.MAX_SAFE_INTEGER;
  return value < -MAX ? -Number.MAX_SAFE_INTEGER : Number(value);
}

export function int(value: number): AttributeInit {
  return { type: 'int', value: BigInt(value) };
}

export function ints(values: readonly number[]): AttributeInit {
  return { type: 'ints', value: values.map((v) => BigInt(v)) };
}

export function float(value: number): AttributeInit {
  return { type: 'float', value };
}

export function string(value: string): AttributeInit {
  return { type: 'string', value };
}
