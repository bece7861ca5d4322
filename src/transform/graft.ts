import type { Loss, LossOutputs } from '../contract.ts';
import { createEmitter, type Emitter, type Value } from '../emit/index.ts';
import { LossgraftError, option } from '../errors.ts';
import type { Graph } from '../ir/graph.ts';
import { resolveOptions } from '../options/declared.ts';
import { TASKS, type Task } from '../task.ts';
import { type Features, findFeatures } from './features.ts';
import { type FoundLogits, type FoundTensor, findLogits, namedLogits, type TrainedKind, taskOf } from './logits.ts';
import { countsOf, type PerClass, type WeightsReport, weightsOf } from './perClass.ts';
import { scaleScores } from './scales.ts';
import { classScores, featureNorm, namedFeatures } from './splice.ts';
import { widthByWeights } from './width.ts';

export type Reduction = 'mean' | 'sum' | 'none';

/** The loss, its place and names. Loss and weights are values; the public door looks them up by name. */
export interface GraftRequest extends PerClass {
  readonly loss: Loss;
  readonly lossOptions: Readonly<Record<string, unknown>>;
  /** The task of the labels. Default: what the loss is for, else what the head tells. */
  readonly task?: Task;
  /** Labels are soft, float32 [N, C]: see `LossInputs`. Default: they are class indices, or 0 and 1. */
  readonly softLabels?: boolean;
  readonly reduction?: Reduction;
  readonly logits?: string;
  readonly features?: string;
  readonly featuresAreNorm?: boolean;
  readonly rename?: Readonly<Record<string, string>>;
  /** Multiplies the scores of each class by a scale, {@link SCALES}, the only trained parameter. */
  readonly learnsScales?: boolean;
}

/** A graph in progress, with its current opset. */
export interface Draft {
  readonly graph: Graph;
  readonly opset: number;
  /** Notes for the user. */
  readonly notes: string[];
}

/** What was grafted, as plain data. */
export interface GraftReport {
  readonly loss: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly reduction: Reduction;
  readonly logits: TensorReport;
  readonly features: TensorReport | null;
  readonly task: Task;
  /** The kind of scores, and whether an operator of the file (a softmax, a sigmoid, an argmax) or an option states it. */
  readonly head: { readonly kind: TrainedKind; readonly isStated: boolean };
  readonly classes: number | null;
  readonly classWeights: WeightsReport | null;
  /** The counts that the loss was made from; `null` if it reads none. */
  readonly classCounts: readonly number[] | null;
  /** lossgraft's own names, mapped to those in this model. */
  readonly names: Readonly<Record<string, string>>;
}

export interface TensorReport {
  readonly name: string;
  readonly how: string;
}

export interface Grafted {
  readonly op: Emitter;
  /** As in the model; behind the trained scales. */
  readonly logits: Value;
  /** The same in the form that the loss reads, float32 [N, C]. */
  readonly scores: Value;
  readonly features: Value | undefined;
  readonly labels: Value;
  /** [] (or [N] without a reduction). */
  readonly loss: Value;
  /** The new outputs, already listed in the graph. */
  readonly outputs: readonly Value[];
  readonly report: GraftReport;
}

/**
 * Emits a loss into the graph: a further input `labels` (int64 [N]; for a multi-label head float32 [N, C]), and further outputs `loss`,
 * `loss_per_sample` [N] and those that the loss declares.
 *
 * @param furtherNames further names of lossgraft's own that may be renamed.
 * @throws LossgraftError if logits or features cannot be found, an option is invalid, or a name is taken.
 */
export function graft(
  { graph, opset, notes }: Draft,
  request: GraftRequest,
  furtherNames: readonly string[] = [],
): Grafted {
  const logits = logitsOf(graph, opset, request);
  const task = taskOf(logits.kind);
  const loss = formFor(request.loss, task);
  const options = resolveOptions(loss.options, request.lossOptions, `loss ${loss.name}`);
  refuseUnused(request, loss);
  const areSoft = request.softLabels ?? false;
  if (areSoft) refuseHardLoss(loss, task);
  notes.push(...logits.notes);
  if (loss !== request.loss)
    notes.push(`${request.loss.name} on a multi-label head is the loss ${loss.name}: ${loss.summary}`);
  const features = loss.needsFeatures ? featuresOf(graph, logits, request) : undefined;
  const op = createEmitter(graph, opset);
  const own = classScores(op, logits.value, logits.kind);
  const classes = typeof own.shape?.[1] === 'number' ? own.shape[1] : widthByWeights(op.graph, own);
  if (classes !== undefined && own.shape?.length === 2) own.shape = [own.shape[0], classes];
  const scores = request.learnsScales && classes !== undefined ? scaleScores(op, own, classes) : own;
  const weights = weightsOf(op, request, { task, classes });
  const counts = loss.needsCounts ? countsOf(request, loss, { task, classes }) : undefined;
  refuseUnknownRenames(request, furtherNames);
  const name = (each: string) => request.rename?.[each] ?? each;
  const { dtype, perClass } = areSoft ? SOFT : TASKS[task].labels;
  const row = perClass ? [classes ?? 'classes'] : [];
  const labels = graph.define(name('labels'), dtype, [batchDim(logits.value), ...row]);
  graph.inputs.push(labels);
  const norm = features && featureNorm(op, features, request.featuresAreNorm ?? false);
  const { sampleCount: samples } = request;
  const inputs = { logits: scores, labels, areSoft, featureNorm: norm, counts, samples, ...weights?.inputs };
  const built = loss.build(op, { weights: undefined, ...inputs }, options);
  const reduction = request.reduction ?? 'mean';
  const outputs = addOutputs(op, built, reduction, batchDim(logits.value), name);
  const report: GraftReport = {
    loss: loss.name,
    options,
    reduction,
    logits: { name: logits.value.name, how: logits.how },
    features: features ? { name: features.value.name, how: features.how } : null,
    task,
    head: { kind: logits.kind, isStated: logits.isStated },
    classes: classes ?? null,
    classWeights: weights?.report ?? null,
    classCounts: counts ?? null,
    names: Object.fromEntries([...OWN_NAMES, ...Object.keys(built.extra ?? {})].map((each) => [each, name(each)])),
  };
  const [value] = outputs;
  return {
    op,
    logits: scores === own ? logits.value : scores,
    scores,
    features: features?.value,
    labels,
    loss: value ?? built.perSample,
    outputs,
    report,
  };
}

/** The scores. A loss only for several labels decides how they are read, if nothing else does. */
function logitsOf(graph: Graph, opset: number, { logits, task, loss }: GraftRequest): FoundLogits {
  const asked = task ?? (loss.task === 'multi-label' ? loss.task : undefined);
  return logits === undefined ? findLogits(graph, opset, asked) : namedLogits(graph, logits, opset, asked);
}

/** The loss for labels of that kind. @throws LossgraftError `task-mismatch` if it has no such form. */
export function formFor(loss: Loss, task: Task): Loss {
  const own = loss.task ?? 'exclusive';
  if (own === task) return loss;
  if (task === 'multi-label' && loss.multiLabel) return loss.multiLabel;
  const other =
    task === 'multi-label'
      ? `Take a loss for several labels, such as ${TASKS[task].crossEntropy}; or, where each sample has exactly one class, ${option('task', own)}`
      : `Take a loss for exclusive classes, such as ${TASKS[task].crossEntropy}`;
  throw new LossgraftError({
    code: 'task-mismatch',
    where: `loss ${loss.name}`,
    expected: `a loss for ${TASKS[task].describe}`,
    found: `one for ${TASKS[own].describe}`,
    hint: other,
  });
}

const SOFT = { dtype: 'float32', perClass: true } as const;

/** @throws LossgraftError `soft-labels` for a loss that reads one class per sample, or labels of 0 and 1, alone. */
export function refuseHardLoss(loss: Loss, task: Task): void {
  if (loss.takesSoftLabels) return;
  throw new LossgraftError({
    code: 'soft-labels',
    where: `loss ${loss.name}`,
    expected: 'a loss of soft labels, as mixed samples and labels that are probabilities have them',
    found:
      task === 'exclusive'
        ? 'one that is defined for one class per sample'
        : 'one that is defined for labels that a sample has or has not',
    hint: `Take a loss that reads them, such as ${TASKS[task].crossEntropy}`,
  });
}

function featuresOf(graph: Graph, logits: FoundTensor, request: GraftRequest): Features {
  if (request.features !== undefined) return namedFeatures(graph, request.features, request.featuresAreNorm ?? false);
  if (request.featuresAreNorm) {
    throw new LossgraftError({
      code: 'option-needs-option',
      where: 'option featuresAreNorm',
      expected: 'the name of the tensor that holds the norms',
      found: `no ${option('features')}`,
      hint: `Add ${option('features')}, a tensor of the shape [N] or [N, 1]`,
    });
  }
  return findFeatures(graph, logits.value);
}

function refuseUnused(request: GraftRequest, loss: Loss): void {
  if (loss.takesWeights === false && request.classWeights) {
    throw new LossgraftError({
      code: 'unused-option',
      where: 'option classWeights',
      expected: `options that the loss ${loss.name} uses`,
      found: `${option('classWeights')}, but this loss compares labels with one another and has no place for weights`,
      hint: 'Leave it out, or choose a loss that weighs labels, such as bce',
    });
  }
  if (loss.needsFeatures) return;
  const given = request.features !== undefined ? 'features' : request.featuresAreNorm ? 'featuresAreNorm' : undefined;
  if (given === undefined) return;
  throw new LossgraftError({
    code: 'unused-option',
    where: `option ${given}`,
    expected: `options that the loss ${request.loss.name} uses`,
    found: `${option(given)}, but this loss uses no features`,
    hint: 'Omit it, or choose a loss that weighs samples by influence (ib, ib-focal)',
  });
}

const OWN_NAMES = ['labels', 'loss', 'loss_per_sample'];

function refuseUnknownRenames(request: GraftRequest, furtherNames: readonly string[]): void {
  const known = [...OWN_NAMES, ...(request.loss.needsFeatures ? ['ib_factor'] : []), ...furtherNames];
  const unknown = Object.keys(request.rename ?? {}).find((own) => !known.includes(own));
  if (unknown === undefined) return;
  throw new LossgraftError({
    code: 'unknown-rename',
    where: 'option rename',
    expected: `one of lossgraft's own names (${known.join(', ')})`,
    found: `"${unknown}"`,
    hint: 'Tensors of the model keep their names',
  });
}

function batchDim(logits: Value): number | string {
  return logits.shape?.[0] ?? 'batch';
}

export function batchNotes(logits: Value): string[] {
  const batch = logits.shape?.[0];
  if (typeof batch !== 'number') return [];
  return [
    `The batch size is fixed at ${batch} in this model; ${option('dynamicBatch')} makes it free if the model allows it`,
  ];
}

function addOutputs(
  op: Emitter,
  built: LossOutputs,
  reduction: Reduction,
  batch: number | string,
  name: (own: string) => string,
): Value[] {
  const { perSample } = built;
  const reduced = { mean: op.reduceMean, sum: op.reduceSum, none: (x: Value) => x }[reduction](perSample);
  const shape = reduction === 'none' ? [batch] : [];
  const outputs: [string, Value, (number | string)[]][] = [
    ['loss', reduced, shape],
    ['loss_per_sample', perSample, [batch]],
    ...Object.entries(built.extra ?? {}).map(([key, value]): [string, Value, (number | string)[]] => [
      key,
      value,
      [batch],
    ]),
  ];
  return outputs.map(([own, value, dims]) => {
    const output = op.graph.define(name(own), 'float32', dims);
    op.graph.addNode({
      opType: 'Identity',
      name: op.graph.freshName('lossgraft/output'),
      inputs: [value],
      outputs: [output],
    });
    op.graph.outputs.push(output);
    return output;
  });
}
