import type { ByteSource } from '../files/bytes.ts';
import type { Insertion, Substitution } from './patch.ts';
import { WireReader } from './reader.ts';
import type { Span } from './types.ts';
import { type ByteParts, stringField } from './wire.ts';

/** Changes that are being collected. */
export interface OpenChanges {
  readonly insertions: Insertion[];
  readonly substitutions: Substitution[];
}

/** The fields of one message, without what is in them. */
export class Message {
  readonly #source: ByteSource;
  readonly #span: Span;
  readonly #fields: ReadonlyMap<number, Span[]>;

  constructor(source: ByteSource, span: Span) {
    this.#source = source;
    this.#span = span;
    const fields = new Map<number, Span[]>();
    const reader = new WireReader(source);
    reader.walk(span, (r) => {
      const known = fields.get(r.number);
      if (known === undefined) fields.set(r.number, [r.span]);
      else known.push(r.span);
    });
    this.#fields = fields;
  }

  append(number: number, parts: ByteParts): Insertion {
    const last = this.#fields.get(number)?.at(-1);
    const greater = [...this.#fields].filter(([n]) => n > number).map(([, spans]) => spans[0]?.start ?? this.#span.end);
    return { parent: this.#span, at: last?.end ?? Math.min(this.#span.end, ...greater), number, parts };
  }

  /** Sets a field that stands once. */
  set(number: number, field: Uint8Array, changes: OpenChanges): void {
    const spans = this.#fields.get(number) ?? [];
    const last = spans.at(-1);
    if (last === undefined) changes.insertions.push(this.append(number, [field]));
    else changes.substitutions.push({ span: last, parts: [field] });
    for (const span of spans.slice(0, -1)) changes.substitutions.push({ span, parts: [] });
  }

  remove(number: number, changes: OpenChanges): void {
    for (const span of this.#fields.get(number) ?? []) changes.substitutions.push({ span, parts: [] });
  }

  /** Sets field `valueNumber` of the entry (of field `number`) whose field 1 or its absence satisfies `isKey`; false without one. */
  setEntry(
    number: number,
    isKey: (key: string) => boolean,
    valueNumber: number,
    field: Uint8Array,
    changes: OpenChanges,
  ): boolean {
    const entries = (this.#fields.get(number) ?? []).filter((span) => isKey(this.#keyOf(span)));
    const last = entries.at(-1);
    if (last === undefined) return false;
    new Message(this.#source, last).set(valueNumber, field, changes);
    for (const span of entries.slice(0, -1)) changes.substitutions.push({ span, parts: [] });
    return true;
  }

  /** Makes the repeated string of that number say `values`; entries that are right already stay as they are. */
  setStrings(number: number, values: readonly string[], changes: OpenChanges): void {
    const spans = this.#fields.get(number) ?? [];
    const reader = new WireReader(this.#source);
    for (const [i, span] of spans.entries()) {
      const value = values[i];
      if (value === undefined) changes.substitutions.push({ span, parts: [] });
      else if (reader.text(span.body, span.end) !== value) {
        changes.substitutions.push({ span, parts: [stringField(number, value)] });
      }
    }
    const added = values.slice(spans.length).map((value) => stringField(number, value));
    if (added.length > 0) changes.insertions.push(this.append(number, added));
  }

  #keyOf(entry: Span): string {
    const reader = new WireReader(this.#source);
    let key = '';
    reader.walk(entry, (r) => {
      if (r.number === 1) key = r.string('key');
    });
    return key;
  }
}
