import { graphEdit } from '../ir/edit.ts';
import type { Graph, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { fromNumbers } from '../numbers.ts';
import type { Tensor } from '../tensor.ts';
import { writeTuned } from '../tuned/writeBack.ts';
import { type WriteOptions, writeEdited } from '../write.ts';
import type { Affine } from './fit.ts';
import type { LinearHead } from './head.ts';

/** How a map gets into a file. */
export interface Placement {
  /** `tensors`: those of the last layer, all other bytes stay; `nodes`: behind the scores. */
  readonly into: 'tensors' | 'nodes';
  readonly names: readonly string[];
  write(path: string, options: WriteOptions): void;
}

/** A map of the scores of a file, of as many classes as it has columns. */
export interface Change {
  readonly model: Model;
  readonly graph: Graph;
  readonly scores: Value;
  readonly head: LinearHead | undefined;
  readonly map: Affine;
}

/** Folds a map into the last layer's weights and bias, where it has a place for it, else into nodes behind the scores. */
export function placeMap(change: Change): Placement {
  const { model, head, map } = change;
  const state = head && folded(head, map);
  if (state === undefined) return nodesBehind(change);
  return {
    into: 'tensors',
    names: [...state.keys()],
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
    const { data, dims } = weight.tensor;
    const columns = dims[1] ?? 1;
    const scaled = data.map((w, i) => w * (scale[classesFirst ? Math.floor(i / columns) : i % columns] ?? 1));
    state.set(weight.name, { ...weight.tensor, data: scaled });
  }
  if (bias && bias.tensor.data.length === offset.length) {
    const data = bias.tensor.data.map((b, k) => (scale[k] ?? 1) * b + (offset[k] ?? 0));
    state.set(bias.name, { ...bias.tensor, data });
  } else if (bias && hasScale) return undefined;
  return state;
}

function nodesBehind({ model, graph, scores, map }: Change): Placement {
  const { dtype = 'float32', shape, producer } = scores;
  const names: string[] = [];
  if (producer) {
    const raw = graph.define(graph.freshName('lossgraft/uncalibrated'), dtype, shape);
    producer.outputs = producer.outputs.map((output) => (output === scores ? raw : output));
    raw.producer = producer;
    const dims = [map.scale.length, ...Array<number>(Math.max(0, (shape?.length ?? 2) - 2)).fill(1)];
    const constant = (name: string, values: Float64Array): Value => {
      const value = graph.define(graph.freshName(`lossgraft/${name}`), dtype, dims);
      graph.initializers.set(value, { dtype, dims, data: fromNumbers([...values], dtype) ?? new Float32Array() });
      return value;
    };
    graph.after(producer, () => {
      const scaled = graph.define(graph.freshName('lossgraft/scaled'), dtype, shape);
      const nodes = [
        graph.addNode({ opType: 'Mul', inputs: [raw, constant('scale', map.scale)], outputs: [scaled] }),
        graph.addNode({ opType: 'Add', inputs: [scaled, constant('offset', map.offset)], outputs: [scores] }),
      ];
      names.push(...nodes.map(({ name }) => name));
    });
  }
  return {
    into: 'nodes',
    names,
    write: (path, options) => writeEdited(model, graphEdit(model.proto, graph), path, options),
  };
}
