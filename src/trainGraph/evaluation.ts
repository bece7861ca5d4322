import { graphEdit } from '../ir/edit.ts';
import type { Model } from '../model.ts';
import { type CutPlace, cutAt } from '../transform/frozen.ts';
import { type GraftReport, type GraftRequest, graft } from '../transform/graft.ts';
import { liftParameter, selectParameters } from '../transform/parameters.ts';
import { prepare } from '../transform/prepare.ts';
import { prune } from '../transform/prune.ts';
import { LEARNING_RATE } from './backward.ts';
import { sessionBytes } from './sessionBytes.ts';

/** A model with a loss whose trained tensors are inputs, so that it can judge any state. */
export interface Evaluation {
  readonly bytes: Uint8Array;
  /** The scores of the classes, float32 [N, C]. */
  readonly logits: string;
  readonly head: GraftReport['head'];
  readonly task: GraftReport['task'];
  /** Notes for the user. */
  readonly notes: readonly string[];
  /** `undefined` if the model does not tell. */
  readonly classes: number | undefined;
  /** Options of the loss, including defaults. */
  readonly options: Readonly<Record<string, unknown>>;
  /** lossgraft's own names to those in this graph. */
  readonly names: Readonly<Record<string, string>>;
}

/**
 * The forward pass in inference mode and a loss: running statistics, no Dropout. Inputs are the model's, `labels` and the `lifted`
 * tensors; outputs are the class scores, `loss_per_sample` and those that the loss declares. Behind a frozen part it reads that part's
 * outputs.
 *
 * @throws LossgraftError if `trainable` is given and names nothing that can be trained.
 */
export async function evaluationGraph(
  model: Model,
  request: GraftRequest & { readonly keepTies?: boolean; readonly trainable?: string },
  lifted: readonly string[],
  frozen?: CutPlace,
): Promise<Evaluation> {
  const keep = request.keepTies === undefined ? {} : { keepTies: request.keepTies };
  const draft = await prepare(model, { batchNorm: 'frozen', dropout: 'off', ...keep });
  const { graph } = draft;
  const data = [...graph.inputs];
  const among = new Set(graph.nodes);
  const { logits, scores, outputs, report } = graft(draft, request, [LEARNING_RATE]);
  if (request.trainable !== undefined) selectParameters(graph, request.trainable, logits);
  const [, ...perSample] = outputs;
  graph.outputs.splice(0, graph.outputs.length, scores, ...perSample);
  if (frozen) cutAt(graph, frozen, { outputs: [...graph.outputs], data, among });
  for (const name of lifted) liftParameter(graph, graph.value(name, 'states of training'));
  prune(graph, { all: true });
  return {
    bytes: sessionBytes(model, graphEdit(model.proto, graph)),
    logits: scores.name,
    head: report.head,
    task: report.task,
    notes: draft.notes,
    classes: report.classes ?? undefined,
    options: report.options,
    names: report.names,
  };
}
