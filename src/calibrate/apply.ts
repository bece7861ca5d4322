import { graphEdit } from '../ir/edit.ts';
import type { Tensor } from '../tensor.ts';
import { writeTuned } from '../tuned/writeBack.ts';
import { type WriteOptions, writeEdited } from '../write.ts';
import type { Affine } from './fit.ts';
import type { LinearHead } from './head.ts';
import { labelsFollow } from './labels.ts';
import { addMap, type ScoreMap } from './nodes.ts';

/** How a map gets into a file. */
export interface Placement {
  /** `tensors`: those of the last layer, all other bytes stay; `nodes`: behind the scores. */
  readonly into: 'tensors' | 'nodes';
  readonly names: readonly string[];
  readonly notes: readonly string[];
  write(path: string, options: WriteOptions): void;
}

/** A map of the scores of a file, and the layer that may take it. */
export interface Change extends ScoreMap {
  readonly head: LinearHead | undefined;
}

/**
 * Folds a map into the last layer's weights and bias, where it has a place for it, else into nodes behind the scores.
 *
 * @throws LossgraftError `not-calibrated` for an output of labels that does not come from the scores, and cannot be made to.
 */
export function placeMap(change: Change): Placement {
  const { model, head, map, areProbabilities } = change;
  const state = areProbabilities || !head ? undefined : folded(head, map);
  if (state === undefined) return nodesBehind(change);
  return {
    into: 'tensors',
    names: [...state.keys()],
    notes: [],
    write: (path, { force = false }) => void writeTuned(model, state, path, { force }),
  };
}

/** The tensors that change; `undefined` where an offset finds no bias. */
function folded(
  { weight, bias, classesFirst }: LinearHead,
  { scale, offset }: Affine,
): Map<string, Tensor> | undefined {
  const hasScale = scale.some((value) => value !== 1);
  const hasOffset = offset.some((value) => value !== 0);
  if (hasOffset && bias?.tensor.data.length !== offset.length) return undefined;
  const state = new Map<string, Tensor>();
  if (hasScale) {
    const { data } = weight.tensor;
    const features = data.length / scale.length;
    const scaled = data.map((w, i) => w * (scale[classesFirst ? Math.floor(i / features) : i % scale.length] ?? 1));
    state.set(weight.name, { ...weight.tensor, data: scaled });
  }
  if (bias && bias.tensor.data.length === offset.length) {
    const data = bias.tensor.data.map((b, k) => (scale[k] ?? 1) * b + (offset[k] ?? 0));
    state.set(bias.name, { ...bias.tensor, data });
  } else if (bias && hasScale) return undefined;
  return state;
}

function nodesBehind(change: Change): Placement {
  const { model, graph } = change;
  const { mapped, names } = addMap(change);
  const notes = mapped ? labelsFollow(graph, mapped, change.map.scale.length) : [];
  return {
    into: 'nodes',
    names,
    notes,
    write: (path, options) => writeEdited(model, graphEdit(model.proto, graph), path, options),
  };
}
