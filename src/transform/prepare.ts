import { createEmitter } from '../emit/index.ts';
import { LossgraftError } from '../errors.ts';
import { buildGraph } from '../ir/build.ts';
import type { Model } from '../model.ts';
import { refuseEmptyInputs } from '../runtime/feeds.ts';
import { markBfloat16 } from '../runtime/oracle/bfloat16.ts';
import { forgetBodySizes } from '../runtime/oracle/restate.ts';
import { batchNorm, type RunningStatistic } from './batchNorm.ts';
import { constantReader, inferAllTypes } from './constantValues.ts';
import { declaredOtherwise } from './declared.ts';
import { dropout } from './dropout.ts';
import type { Draft } from './graft.ts';
import { inlineFunctions } from './inline.ts';
import { newOpsetNotes } from './newOpset.ts';
import { raiseOpset } from './raise.ts';
import { standardiseWeights } from './standardise.ts';
import { type Untied, untie } from './untie.ts';

export interface PrepareRequest {
  /** `frozen`: running statistics; `train`: the batch's, and the running ones go on as state. Default `frozen`. */
  readonly batchNorm?: 'frozen' | 'train';
  /** Default `off`. */
  readonly dropout?: 'off' | 'train';
  /** Of Dropout, for which it has to be `train`. Default 0. */
  readonly seed?: number;
  /** Keeps tensors apart that an exporter merged because they were equal. Default false: they are untied. */
  readonly keepTies?: boolean;
}

export interface Prepared extends Draft {
  readonly statistics: readonly RunningStatistic[];
  /** What came apart; none with `keepTies`. */
  readonly untied: readonly Untied[];
}

/** The first and last opset of training graphs: BatchNorm and reductions are written for these. */
export const TRAIN_OPSETS = { first: 17, last: 21 } as const;

/**
 * A graph of the model that can be trained: functions inlined, the opset raised to 17 or newer, ties undone, BatchNorm and Dropout
 * in the mode asked for, all types known.
 */
export async function prepare(model: Model, request: PrepareRequest): Promise<Prepared> {
  refuseUnusedSeed(request);
  const graph = buildGraph(model.proto);
  refuseEmptyInputs(model.name, graph.inputs);
  const inlined = inlineFunctions(model, graph);
  markBfloat16(graph);
  forgetBodySizes(model.proto, graph);
  const raised = await raiseOpset(model, graph, TRAIN_OPSETS.first);
  const ties = request.keepTies ? undefined : untie(graph);
  const sizes = await inferAllTypes(model, graph);
  const declared = declaredOtherwise(graph);
  const newer = newOpsetNotes(graph, raised.to, TRAIN_OPSETS.last);
  const op = createEmitter(graph, raised.to);
  const masks = dropout(op, request.dropout ?? 'off', request.seed ?? 0, await constantReader(model, graph));
  standardiseWeights(op);
  const norms = batchNorm(graph, request.batchNorm ?? 'frozen');
  return {
    graph,
    opset: raised.to,
    notes: [
      ...inlined.notes,
      ...raised.notes,
      ...sizes,
      ...declared,
      ...newer,
      ...(ties?.notes ?? []),
      ...masks.notes,
      ...norms.notes,
    ],
    statistics: [...norms.statistics, ...masks.statistics],
    untied: ties?.untied ?? [],
  };
}

function refuseUnusedSeed({ seed, dropout: mode }: PrepareRequest): void {
  if (seed === undefined || mode === 'train') return;
  throw new LossgraftError({
    code: 'option-needs-option',
    where: 'option seed',
    expected: 'dropout that draws masks',
    found: `a seed of ${seed}, and dropout ${mode ?? 'off'}`,
    hint: 'Add --dropout train, or leave the seed out',
  });
}
