import { encodeMessage, int64 } from './codec.ts';
import { initializerFields, nodeFields, valueFields } from './encode.ts';
import { Message, type OpenChanges } from './message.ts';
import { applyChanges, type Insertion, type Segment, type Substitution } from './patch.ts';
import { normalDomain } from './scanNode.ts';
import type { ModelEdit, ModelProto, Span } from './types.ts';
import { type ByteParts, intField, lenField, stringField } from './wire.ts';

const GRAPH = { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13 };
const MODEL = { irVersion: 1, opsetImport: 8, metadataProps: 14 };

/**
 * The edited model as segments: ranges of the source and new bytes. New fields go after the last field of their number, else
 * before the first field of a greater number, else to the end: what Python's onnx writes after an append.
 * Errors: `edit-overlap`, `edit-outside`, and those of encoding tensors.
 */
export function applyEdit(model: ModelProto, edit: ModelEdit): Segment[] {
  const { source } = model;
  const whole: Span = { start: 0, body: 0, end: source.size };
  const substitutions: Substitution[] = [
    ...(edit.removals ?? []).map((span) => ({ span, parts: [] })),
    ...(edit.replacements ?? []).map(({ span, bytes }) => ({ span, parts: [bytes] })),
  ];
  const changes = { insertions: graphInsertions(model, edit), substitutions };
  const top = new Message(source, whole);
  if (edit.irVersion !== undefined) top.set(MODEL.irVersion, intField(MODEL.irVersion, edit.irVersion), changes);
  setOpsets(top, edit.opsetImports ?? new Map(), changes);
  setMetadata(top, edit.metadata ?? new Map(), changes);
  return applyChanges(source, whole, changes);
}

function graphInsertions(model: ModelProto, edit: ModelEdit): Insertion[] {
  const graph = new Message(model.source, model.graph.span);
  const fields: readonly (readonly [number, ByteParts])[] = [
    [GRAPH.node, nodeFields(edit.nodes ?? [])],
    [GRAPH.initializer, initializerFields(edit.initializers ?? [])],
    [GRAPH.input, valueFields(GRAPH.input, edit.inputs ?? [])],
    [GRAPH.output, [...valueFields(GRAPH.output, edit.outputs ?? []), ...untypedFields(edit.untypedOutputs ?? [])]],
    [GRAPH.valueInfo, valueFields(GRAPH.valueInfo, edit.valueInfos ?? [])],
  ];
  const within = (edit.nodesBefore ?? []).map(({ before, nodes }) => {
    return { parent: model.graph.span, at: before.start, number: GRAPH.node, parts: nodeFields(nodes) };
  });
  const appended = fields.filter(([, parts]) => parts.length > 0).map(([number, parts]) => graph.append(number, parts));
  return [...within, ...appended];
}

function untypedFields(names: readonly string[]): ByteParts {
  return names.flatMap((name) => lenField(GRAPH.output, [stringField(1, name)]));
}

/** Replaces the entry of each domain, or adds one; of several entries of a domain the last stays, since that is what counts. */
function setOpsets(top: Message, opsets: ReadonlyMap<string, number>, changes: OpenChanges): void {
  const added: Uint8Array[] = [];
  for (const [domain, version] of opsets) {
    const same = (key: string) => normalDomain(key) === normalDomain(domain);
    const entry = top.setEntry(MODEL.opsetImport, same, 2, intField(2, version), changes);
    if (entry) continue;
    const bytes = encodeMessage('OperatorSetIdProto', {
      domain: normalDomain(domain),
      version: int64(BigInt(version)),
    });
    added.push(...lenField(MODEL.opsetImport, [bytes]));
  }
  if (added.length > 0) changes.insertions.push(top.append(MODEL.opsetImport, added));
}

function setMetadata(top: Message, metadata: ReadonlyMap<string, string>, changes: OpenChanges): void {
  const added: Uint8Array[] = [];
  for (const [key, value] of metadata) {
    const entry = top.setEntry(MODEL.metadataProps, (k) => k === key, 2, stringField(2, value), changes);
    if (entry) continue;
    added.push(...lenField(MODEL.metadataProps, [encodeMessage('StringStringEntryProto', { key, value })]));
  }
  if (added.length > 0) changes.insertions.push(top.append(MODEL.metadataProps, added));
}
