import type { Emitter, Value } from '../emit/index.ts';
import type { Graph } from '../ir/graph.ts';
import { type FoundParameters, selectParameters } from './parameters.ts';

/** The scales of a head whose weights are fixed, float32 [C]: learnable weight scaling (Kang et al., ICLR 2020). No file holds them. */
export const SCALES = 'lossgraft/scales';

/** Scores times a scale for each class, initially 1. The scales are a parameter of the graph. */
export function scaleScores(op: Emitter, scores: Value, classes: number): Value {
  const scales = op.graph.define(SCALES, 'float32', [classes]);
  op.graph.initializers.set(scales, { dtype: 'float32', dims: [classes], data: new Float32Array(classes).fill(1) });
  return op.mul(scores, scales);
}

/**
 * The trained parameters: the scales, if there are any, or else those that `trainable` selects. @throws LossgraftError as
 * `selectParameters` does.
 */
export function trainedParameters(graph: Graph, trainable: string, logits: Value): FoundParameters {
  for (const [value, source] of graph.initializers) {
    if (value.name === SCALES) return { parameters: [{ value, source }], leftOut: [] };
  }
  return selectParameters(graph, trainable, logits);
}
