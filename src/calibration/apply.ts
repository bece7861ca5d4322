import { graphEdit } from '../ir/edit.ts';
import type { ModelEdit } from '../onnx/types.ts';
import { type LinearHead, mappedHead } from '../tuned/head.ts';
import { writeTuned } from '../tuned/writeBack.ts';
import { type WriteOptions, writeEdited } from '../write.ts';
import { labelsFollow } from './labels.ts';
import { addMap, type ScoreMap } from './nodes.ts';

/** How a map is written into a file. */
export interface Placement {
  /** `tensors`: into the last layer, all other bytes stay; `nodes`: behind the scores. */
  readonly into: 'tensors' | 'nodes';
  readonly names: readonly string[];
  readonly notes: readonly string[];
  write(path: string, options: WriteOptions): void;
}

/** A map of a file's scores, and the layer that may absorb it. */
export interface Change extends ScoreMap {
  readonly head: LinearHead | undefined;
}

/**
 * Folds a map into the last layer's weights and bias if possible, otherwise into nodes behind the scores.
 *
 * @throws LossgraftError `not-calibrated` for a label output that cannot be derived from the scores.
 */
export function placeMap(change: Change): Placement {
  const { model, head, map, areProbabilities } = change;
  const state = areProbabilities || !head ? undefined : mappedHead(head, map);
  if (state === undefined) return nodesBehind(change);
  return {
    into: 'tensors',
    names: [...state.keys()],
    notes: [],
    write: (path, { force = false }) => void writeTuned(model, state, path, { force }),
  };
}

function nodesBehind(change: Change): Placement {
  const { edit, names, notes } = placeNodes(change);
  return {
    into: 'nodes',
    names,
    notes,
    write: (path, options) => writeEdited(change.model, edit, path, options),
  };
}

/** Puts a map into nodes behind the scores. @throws LossgraftError as {@link placeMap} does. */
export function placeNodes(change: ScoreMap): {
  readonly edit: ModelEdit;
  readonly names: readonly string[];
  readonly notes: readonly string[];
} {
  const { model, graph } = change;
  const { mapped, names } = addMap(change);
  const notes = mapped ? labelsFollow(graph, mapped, change.map.scale.length) : [];
  return { edit: graphEdit(model.proto, graph), names, notes };
}
