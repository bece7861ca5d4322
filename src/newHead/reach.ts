import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { integersOf, rangeOf } from '../quantisation.ts';
import type { Tensor } from '../tensor.ts';
import { elementsOf, type ResultRounding } from './elements.ts';
import { setStored } from './stored.ts';

/** The least and the largest score that some rows give, over samples. */
export type Reach = readonly [least: number, largest: number];

/** Scales by which a file rounds scores, and the nodes on the scores' way that read them. */
export type ScoreScales = Map<Value, { readonly zero: Value | undefined; readonly readers: Set<Node> }>;

export function addScale(scales: ScoreScales, { scale, zero }: ResultRounding, reader: Node): void {
  const known = scales.get(scale) ?? { zero, readers: new Set<Node>() };
  scales.set(scale, known);
  known.readers.add(reader);
}

/** Room for scores that training moves. */
const ROOM = 1.5;

/**
 * Widens the scales by which a file rounds scores, where new rows give scores beyond them: those were measured with the old rows, and what
 * lies beyond is cut.
 *
 * @returns notes for the user.
 */
export function widenScales(model: Model, graph: Graph, scales: ScoreScales, [least, largest]: Reach): string[] {
  return [...scales].flatMap(([scale, { zero, readers }]) => {
    const [steps, zeros] = [scale, zero].map((value) => value && elementsOf(model, graph, value));
    const [low, high] = rangeOf(zeros?.dtype ?? 'uint8') ?? [0, 0];
    const middle = zeros ? Number(integersOf(zeros)[0]) : 0;
    const step = Number(steps?.data[0]);
    const needed =
      ROOM * Math.max(high > middle ? largest / (high - middle) : 0, low < middle ? least / (low - middle) : 0);
    if (!(needed > step)) return [];
    const tensor: Tensor = { dtype: 'float32', dims: steps?.dims ?? [], data: Float32Array.of(needed) };
    rescale(graph, scale, readers, tensor);
    const times = (needed / step).toFixed(1);
    return [
      `The steps by which the file rounds the scores become ${times} times as large, since the new rows give larger scores`,
    ];
  });
}

function rescale(graph: Graph, scale: Value, readers: ReadonlySet<Node>, tensor: Tensor): void {
  if ([...scale.uses].every((node) => readers.has(node))) {
    setStored(graph, scale, tensor);
    return;
  }
  const own = graph.define(graph.freshName(scale.name), tensor.dtype, tensor.dims);
  graph.initializers.set(own, tensor);
  for (const reader of readers) {
    reader.inputs = reader.inputs.map((input) => (input === scale ? own : input));
    scale.uses.delete(reader);
    own.uses.add(reader);
  }
}
