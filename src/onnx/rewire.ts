import { LossgraftError } from '../errors.ts';
import type { ByteSource } from '../files/bytes.ts';
import type { Dim, Tensor } from '../tensor.ts';
import { encodeTensorParts } from './encode.ts';
import { Message, type OpenChanges } from './message.ts';
import { applyChanges, materialize } from './patch.ts';
import type { NodeProto, Replacement, Span, TensorProto, ValueInfoProto } from './types.ts';
import { concat, intField, lenField, stringField } from './wire.ts';

/** The node's field with other names of inputs or outputs; all else but what lies in `patches` stays byte for byte. */
export function rewireNode(
  source: ByteSource,
  node: NodeProto,
  names: { readonly inputs?: readonly string[]; readonly outputs?: readonly string[] },
  patches: readonly Replacement[] = [],
): Uint8Array {
  const message = new Message(source, node.span);
  const changes: OpenChanges = { insertions: [], substitutions: [] };
  if (names.inputs !== undefined) message.setStrings(1, names.inputs, changes);
  if (names.outputs !== undefined) message.setStrings(2, names.outputs, changes);
  for (const { span, bytes } of patches) changes.substitutions.push({ span, parts: [bytes] });
  return rebuild(source, 1, node.span, changes);
}

/** The Constant node with another tensor in place of its own; all else stays byte for byte. */
export function withTensor(source: ByteSource, node: NodeProto, own: TensorProto, tensor: Tensor): Replacement {
  const bytes = concat(lenField(5, encodeTensorParts(own.name, tensor)));
  return { span: node.span, bytes: rewireNode(source, node, {}, [{ span: own.span, bytes }]) };
}

/** The initializer's field under another name; where its elements are stays as it is. */
export function renamedInitializer(source: ByteSource, tensor: TensorProto, name: string): Uint8Array {
  const changes: OpenChanges = { insertions: [], substitutions: [] };
  new Message(source, tensor.span).set(8, stringField(8, name), changes);
  return rebuild(source, 5, tensor.span, changes);
}

/** Dimension `index` of a value's type becomes `dim`; its denotation stays. Error: `bad-dimension` where there is none. */
export function relabelDim(source: ByteSource, value: ValueInfoProto, index: number, dim: Dim): Replacement {
  const span = value.dimSpans[index];
  if (span === undefined) {
    throw new LossgraftError({
      code: 'bad-dimension',
      where: `${source.name}, value "${value.name}"`,
      expected: `a dimension ${index}`,
      found: value.type?.shape === undefined ? 'no shape' : `a shape of rank ${value.dimSpans.length}`,
      hint: 'Use the name of a dimension that the model declares',
    });
  }
  const message = new Message(source, span);
  const changes: OpenChanges = { insertions: [], substitutions: [] };
  if (typeof dim === 'number') message.set(1, intField(1, dim), changes);
  else message.remove(1, changes);
  if (typeof dim === 'string') message.set(2, stringField(2, dim), changes);
  else message.remove(2, changes);
  return { span, bytes: rebuild(source, 1, span, changes) };
}

function rebuild(source: ByteSource, number: number, span: Span, changes: OpenChanges): Uint8Array {
  return concat(lenField(number, [materialize(source, applyChanges(source, span, changes))]));
}
