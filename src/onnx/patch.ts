import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';
import type { ByteSource } from '../files/bytes.ts';
import { WireReader } from './reader.ts';
import type { Span } from './types.ts';
import { type ByteParts, LEN, varint } from './wire.ts';

/** A piece of the output: a range of the source, or new bytes. */
export type Segment =
  | { readonly kind: 'copy'; readonly start: number; readonly end: number }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

/** New fields at `at`, a field boundary of the message `parent`; `number` orders several at one place. */
export interface Insertion {
  readonly parent: Span;
  readonly at: number;
  readonly number: number;
  readonly parts: ByteParts;
}

/** The field at `span` becomes `parts`: fields of the same message, or nothing. */
export interface Substitution {
  readonly span: Span;
  readonly parts: ByteParts;
}

export interface Changes {
  readonly insertions: readonly Insertion[];
  readonly substitutions: readonly Substitution[];
}

/**
 * The payload of `message` after the changes; the lengths of all enclosing messages within it are rewritten. Everything else,
 * unknown fields included, is copied where it stands. Errors: `edit-overlap`, `edit-outside`.
 */
export function applyChanges(source: ByteSource, message: Span, changes: Changes): Segment[] {
  const insertions = changes.insertions.toSorted((a, b) => a.parent.body - b.parent.body || a.number - b.number);
  const substitutions = changes.substitutions.toSorted((a, b) => a.span.start - b.span.start);
  return new Patcher(source).patch(message, { insertions, substitutions });
}

export function segmentsLength(segments: readonly Segment[]): number {
  return segments.reduce((n, s) => n + (s.kind === 'copy' ? s.end - s.start : s.bytes.length), 0);
}

/** Segments as bytes in memory. */
export function materialize(source: ByteSource, segments: readonly Segment[]): Uint8Array {
  const bytes = new Uint8Array(segmentsLength(segments));
  let at = 0;
  for (const s of segments) {
    const length = segmentsLength([s]);
    if (s.kind === 'bytes') bytes.set(s.bytes, at);
    else source.readInto(bytes.subarray(at, at + length), s.start);
    at += length;
  }
  return bytes;
}

class Patcher {
  readonly #source: ByteSource;
  readonly #reader: WireReader;

  constructor(source: ByteSource) {
    this.#source = source;
    this.#reader = new WireReader(source);
  }

  patch(message: Span, { insertions, substitutions }: Changes): Segment[] {
    const out = new SegmentList();
    const isOwn = ({ parent }: Insertion) => parent.body === message.body;
    const own = new Queue(insertions.filter(isOwn).toSorted((a, b) => a.at - b.at || a.number - b.number));
    const deeper = new Queue(insertions.filter((insertion) => !isOwn(insertion)));
    const replaced = new Queue(substitutions);
    const reader = this.#reader;
    reader.seek(message.body);
    while (reader.next(message.end)) {
      const { span, wire, tagEnd } = reader;
      this.#insert(out, own, span.start);
      const inner = {
        substitutions: replaced.takeWhile((s) => s.span.start < span.end),
        insertions: deeper.takeWhile(({ parent }) => parent.body <= span.end && parent.end <= span.end),
      };
      const [first] = inner.substitutions;
      if (first === undefined && inner.insertions.length === 0) out.copy(span.start, span.end);
      else if (first?.span.start === span.start) this.#substitute(out, first, span, inner);
      else this.#descend(out, span, wire, tagEnd, inner);
    }
    this.#insert(out, own, message.end);
    const left = replaced.next?.span ?? deeper.next?.parent ?? own.next?.parent;
    if (left !== undefined) throw this.#outside(left);
    return out.segments;
  }

  #insert(out: SegmentList, own: Queue<Insertion>, position: number): void {
    for (const { at, parent, parts } of own.takeWhile((insertion) => insertion.at <= position)) {
      if (at !== position) throw this.#outside(parent);
      out.bytes(parts);
    }
  }

  #substitute(out: SegmentList, change: Substitution, field: Span, inner: Changes): void {
    if (change.span.end !== field.end) throw this.#outside(change.span);
    if (inner.substitutions.length > 1 || inner.insertions.length > 0) {
      throw this.#problem('edit-overlap', change.span, 'at most one change to each field', 'two that overlap');
    }
    out.bytes(change.parts);
  }

  #descend(out: SegmentList, field: Span, wire: number, tagEnd: number, inner: Changes): void {
    if (wire !== LEN) throw this.#outside(field);
    const segments = this.patch(field, inner);
    this.#reader.seek(field.end);
    const length = segmentsLength(segments);
    if (length === field.end - field.body) out.copy(field.start, field.body);
    else {
      out.copy(field.start, tagEnd);
      out.bytes([varint(length)]);
    }
    for (const s of segments) {
      if (s.kind === 'copy') out.copy(s.start, s.end);
      else out.bytes([s.bytes]);
    }
  }

  #outside(span: Span): LossgraftError {
    return this.#problem(
      'edit-outside',
      span,
      'changes that cover whole fields of the model',
      'another range of bytes',
    );
  }

  #problem(code: ErrorCode, span: Span, expected: string, found: string): LossgraftError {
    const where = `${this.#source.name}, bytes ${span.start} to ${span.end}`;
    const hint = 'Use spans from the scan of this same file, each at most once';
    return new LossgraftError({ code, where, expected, found, hint });
  }
}

/** Neighbouring ranges of the source become one segment. */
class SegmentList {
  readonly segments: Segment[] = [];

  copy(start: number, end: number): void {
    const last = this.segments.at(-1);
    if (last?.kind === 'copy' && last.end === start) this.segments[this.segments.length - 1] = { ...last, end };
    else if (end > start) this.segments.push({ kind: 'copy', start, end });
  }

  bytes(parts: ByteParts): void {
    for (const bytes of parts) if (bytes.length > 0) this.segments.push({ kind: 'bytes', bytes });
  }
}

class Queue<T> {
  readonly #items: readonly T[];
  #at = 0;

  constructor(items: readonly T[]) {
    this.#items = items;
  }

  get next(): T | undefined {
    return this.#items[this.#at];
  }

  takeWhile(test: (item: T) => boolean): readonly T[] {
    const from = this.#at;
    for (let item = this.next; item !== undefined && test(item); item = this.next) this.#at++;
    return this.#items.slice(from, this.#at);
  }
}
