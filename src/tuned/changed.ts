import { type OpenedModel, opened } from '../model.ts';
import type { Payload } from '../onnx/types.ts';
import { weightsOf } from './locate.ts';

/** Where a file differs from the one that it was made of. */
export interface Changed {
  readonly bytes: number;
  /** Tensors whose elements differ. */
  readonly tensors: readonly string[];
  /** Bytes that differ and are no element of a tensor. */
  readonly outside: number;
  /** Bytes that follow behind the last one of the given file. */
  readonly added: number;
}

interface Place {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** Compares a tuned file with the model's, byte by byte; `null` if it is shorter. */
export function changedIn(model: OpenedModel, given: Uint8Array, tuned: Uint8Array): Changed | null {
  if (tuned.length < given.length) return null;
  const places = [...weightsOf(opened(model))]
    .flatMap(([name, { payload }]) => runsOf(payload).map(([start, end]): Place => ({ name, start, end })))
    .sort((a, b) => a.start - b.start);
  const tensors = new Set<string>();
  let [bytes, outside, at] = [0, 0, 0];
  for (let i = 0; i < given.length; i++) {
    if (given[i] === tuned[i]) continue;
    bytes += 1;
    while ((places[at]?.end ?? Number.POSITIVE_INFINITY) <= i) at += 1;
    const place = places[at];
    if (place !== undefined && place.start <= i) tensors.add(place.name);
    else outside += 1;
  }
  return { bytes, tensors: [...tensors], outside, added: tuned.length - given.length };
}

function runsOf(payload: Payload): (readonly [number, number])[] {
  if (payload.kind === 'external') return [];
  if (payload.kind === 'raw') return [[payload.offset, payload.offset + payload.length]];
  return payload.fields.map(({ body, end }) => [body, end]);
}
