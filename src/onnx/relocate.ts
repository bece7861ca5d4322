import { Message, type OpenChanges } from './message.ts';
import type { ModelProto, Replacement, TensorProto } from './types.ts';
import { concat, stringField } from './wire.ts';

/** The replacements that point external tensors to another location. */
export function relocateExternal(model: ModelProto, locations: ReadonlyMap<TensorProto, string>): Replacement[] {
  const changes: OpenChanges = { insertions: [], substitutions: [] };
  for (const [tensor, location] of locations) {
    const field = stringField(2, location);
    new Message(model.source, tensor.span).setEntry(13, (key) => key === 'location', 2, field, changes);
  }
  return changes.substitutions.map(({ span, parts }) => ({ span, bytes: concat(parts) }));
}
