import { LossgraftError } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import type { Stored } from './stored.ts';

/** The classes that a head is to have. */
export interface NextClasses {
  readonly outputs: number;
  /** Number of classes: two for a single score. */
  readonly classes: number;
  /** What they are called; `undefined` where they have no names. */
  readonly names: readonly string[] | undefined;
}

/** A walk from the layer on, in the order of the nodes. */
export interface Walk {
  readonly model: Model;
  readonly graph: Graph;
  /** Scores of a sample, before. */
  readonly outputs: number;
  readonly classes: number;
  readonly axes: Map<Value, number>;
  /** Tensors that hold indices of classes. */
  readonly indices: Set<Value>;
  readonly linear: Set<Value>;
  readonly picks: Node[];
  readonly changes: ((next: NextClasses) => void)[];
  /** What the user should know once the classes are changed. */
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

/** The error of a node behind a head. */
export function notFollowed(node: Node, found: string): LossgraftError {
  return new LossgraftError({
    code: 'head-not-followed',
    where: describeNode(node),
    expected: 'nodes behind the last layer that can do with another number of classes',
    found,
    hint: 'Export the model without that node, or change its last layer before the export',
  });
}
