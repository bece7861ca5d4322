import { LossgraftError } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import type { Stored } from './elements.ts';
import type { ScoreScales } from './reach.ts';

/** The requested classes of a head. */
export interface NextClasses {
  readonly outputs: number;
  /** Number of classes: two for a single score. */
  readonly classes: number;
  /** Their names; `undefined` if they have none. */
  readonly names: readonly string[] | undefined;
}

/** A walk forward from the layer, in node order. */
export interface Walk {
  readonly model: Model;
  readonly graph: Graph;
  /** The old number of scores per sample. */
  readonly outputs: number;
  readonly classes: number;
  readonly axes: Map<Value, number>;
  /** Tensors that hold indices of classes. */
  readonly indices: Set<Value>;
  readonly linear: Set<Value>;
  readonly picks: Node[];
  /** Those by which the file rounds the layer's scores. */
  readonly scales: ScoreScales;
  readonly changes: ((next: NextClasses) => void)[];
  /** Notes for the user after the change. */
  readonly notes: string[];
  bias: Stored | undefined;
}

/** A node that reads scores. */
export interface Visit {
  readonly walk: Walk;
  readonly node: Node;
  readonly input: Value;
  readonly axis: number;
}

/** The error for a node behind a head. */
export function notFollowed(node: Node, found: string): LossgraftError {
  return new LossgraftError({
    code: 'head-not-followed',
    where: describeNode(node),
    expected: 'nodes behind the last layer that can do with another number of classes',
    found,
    hint: 'Export the model without that node, or change its last layer before the export',
  });
}
