import { createEmitter, type Value } from '../emit/index.ts';
import { Graph } from '../ir/graph.ts';
import type { LowerTarget } from '../lower/layouts.ts';
import { lower } from '../lower/lower.ts';
import { roundHalves } from '../lower/roundHalves.ts';
import { expandFor, type Target } from '../lower/target.ts';
import type { Model } from '../model.ts';
import { blankModel } from '../onnx/index.ts';
import type { ModelProto } from '../onnx/types.ts';
import type { GraftReport } from '../transform/graft.ts';
import { scaleInput } from '../transform/lossScale.ts';
import { type OptimizeRequest, optimize, type State } from '../transform/optimize.ts';
import { addNamedOutputs, type NamedOutput } from '../transform/outputs.ts';
import { liftParameter } from '../transform/parameters.ts';
import { prune } from '../transform/prune.ts';
import { scanSteps } from '../transform/scan.ts';
import { type Backward, type BackwardRequest, backward, LEARNING_RATE } from './backward.ts';
import { type StepSettings, settingsOf } from './settings.ts';
import { type Workers, type WorkersRequest, workersOf } from './workers.ts';

export interface StepRequest extends BackwardRequest, OptimizeRequest, Pick<WorkersRequest, 'batchNormPerWorker'> {
  /** Forms for this machine's runtime and this batch size, for lossgraft's own session: such a graph is never written. */
  readonly lower?: LowerTarget;
  /** What is in half precision is computed in float32 and rounded, for a session of lossgraft's own on the CPU. */
  readonly roundsHalves?: boolean;
  /** Whose kernels the graph is for. Default `any`. */
  readonly target?: Target;
}

/** A graph and the file that it edits. */
export interface Built {
  readonly proto: ModelProto;
  readonly graph: Graph;
}

export interface StepReport extends GraftReport, StepSettings {
  readonly model: string;
  readonly trainable: readonly string[];
  /** Requested weights that the loss does not depend on. */
  readonly unreached: readonly string[];
  /** Tensors that `all` does not count as parameters, and why; they can be trained by name. */
  readonly leftOut: readonly { readonly name: string; readonly why: string }[];
  readonly states: readonly StateReport[];
  /** Of the split form. */
  readonly workers?: Workers;
  readonly notes: readonly string[];
}

export interface StateReport {
  readonly name: string;
  readonly kind: State['kind'];
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** A training step and its states. */
export interface Step {
  readonly report: StepReport;
  readonly states: readonly State[];
  readonly backward: Backward;
}

/**
 * A training step as a graph of standard operators: inputs are the model's, `labels`, `learning_rate`, every parameter under its own
 * name, every slot as `<param>.<slot>`; outputs are `loss` and the next value of each as `<name>.next`. With `loop` data, labels,
 * learning rate and loss get a leading axis, over which a Scan runs.
 */
export async function buildStep(
  model: Model,
  request: StepRequest,
  loop: boolean,
): Promise<Step & { readonly built: Built }> {
  const pass = await backward(model, request);
  const { graph } = pass.draft;
  const { op } = pass.grafted;
  liftStates(pass);
  const rate = addRate(graph, request);
  const states = [
    ...optimize(op, pass.gradients, rate, { ...request, initialScales: pass.initialScales }, pass.scale),
    ...statistics(pass),
  ];
  const [loss, nexts] = settle(
    pass,
    request,
    states.map(({ next }) => next),
  );
  const settled = states.map((state, i) => ({ ...state, next: nexts[i] ?? state.next }));
  const form = loop ? scanSteps(model.proto, op, settled, loss) : { states: settled, losses: loss };
  const lossShape = loop ? form.losses.shape : [];
  addNamedOutputs(graph, [
    { name: lossName(pass), source: form.losses, like: { dtype: 'float32', shape: lossShape } },
    ...form.states.map(nextOutput),
  ]);
  return {
    built: { proto: model.proto, graph },
    states,
    backward: pass,
    report: reportOf(model, request, pass, states),
  };
}

/**
 * The same step in two graphs, so that something may be reduced between them: `gradients` (a batch in; the loss, `<param>.grad` and
 * next statistics out) and `apply` (parameters, gradients and slots in; their next values out).
 */
export async function buildSplit(
  model: Model,
  request: StepRequest,
): Promise<Step & { readonly gradients: Built; readonly apply: Built }> {
  const pass = await backward(model, { ...request, ofParts: true });
  const { graph, opset } = pass.draft;
  liftStates(pass);
  const moving = statistics(pass);
  const params = [...pass.gradients.keys()];
  const [loss, settled] = settle(pass, request, [...pass.gradients.values(), ...moving.map(({ next }) => next)]);
  const named = [
    ...params.map((like) => ({ name: `${like.name}.grad`, like })),
    ...moving.map(({ current }) => ({ name: `${current.name}.next`, like: current })),
  ];
  addNamedOutputs(graph, [
    { name: lossName(pass), source: loss, like: { dtype: 'float32', shape: [] } },
    ...named.map(({ name, like }, i) => ({ name, source: settled[i] ?? like, like })),
  ]);
  const names = [lossName(pass), ...params.map(({ name }) => `${name}.grad`)];
  const workers = workersOf(request, names, moving);
  const scales = { ...request, initialScales: pass.initialScales };
  const { states, ...apply } = buildApply(params, opset, scales, pass.scale !== undefined);
  const all = [...states, ...moving];
  return {
    gradients: { proto: model.proto, graph },
    apply,
    states: all,
    backward: pass,
    report: { ...reportOf(model, request, pass, all), workers },
  };
}

function buildApply(
  params: readonly Value[],
  opset: number,
  request: StepRequest,
  isScaled: boolean,
): Built & { readonly states: readonly State[] } {
  const graph = new Graph();
  const op = createEmitter(graph, opset);
  const input = (name: string, like: Value): Value => {
    const value = graph.define(name, like.dtype, like.shape);
    graph.inputs.push(value);
    return value;
  };
  const gradients = new Map(params.map((param) => [input(param.name, param), input(`${param.name}.grad`, param)]));
  const scale = isScaled ? scaleInput(op) : undefined;
  const states = optimize(op, gradients, addRate(graph, request), request, scale);
  expandFor(op, request.target ?? 'any', request.calculus);
  addNamedOutputs(graph, states.map(nextOutput));
  return { proto: blankModel(opset, 'apply'), graph, states };
}

/** Parameters and statistics become inputs; the step's outputs replace the model's own. */
function liftStates({ draft, trained }: Backward): void {
  draft.graph.outputs.splice(0);
  for (const { value } of trained) liftParameter(draft.graph, value);
  for (const { current } of draft.statistics) liftParameter(draft.graph, current);
}

function statistics({ draft }: Backward): State[] {
  return draft.statistics.map(({ current, next }) => ({ current, next, kind: 'statistic' }));
}

function addRate(graph: Graph, request: StepRequest): Value {
  const rate = graph.define(request.rename?.[LEARNING_RATE] ?? LEARNING_RATE, 'float32', []);
  graph.inputs.push(rate);
  return rate;
}

function lossName({ grafted }: Backward): string {
  return grafted.report.names.loss ?? 'loss';
}

/** Expands composites and drops what neither the loss nor `results` need; returns both as they are afterwards. */
function settle(
  { draft, grafted, constant }: Backward,
  request: StepRequest,
  results: readonly Value[],
): [Value, Value[]] {
  const { graph } = draft;
  // The named output is replaced by its source, so that the name is free.
  const source = grafted.loss.producer?.inputs[0] ?? grafted.loss;
  graph.outputs.push(source, ...results);
  if (request.lower) lower(grafted.op, { ...request.calculus, constant }, request.lower);
  else expandFor(grafted.op, request.target ?? 'any', request.calculus);
  prune(graph, { all: true });
  if (request.roundsHalves) roundHalves(grafted.op);
  const [loss = source, ...settled] = graph.outputs.splice(0);
  return [loss, settled];
}

function nextOutput({ current, next }: State): NamedOutput {
  return { name: `${current.name}.next`, source: next, like: current };
}

function reportOf(
  model: Model,
  request: StepRequest,
  { grafted, trained, unreached, leftOut, draft }: Backward,
  states: readonly State[],
): StepReport {
  return {
    ...grafted.report,
    model: model.name,
    ...settingsOf(request),
    trainable: trained.map(({ value }) => value.name),
    unreached: unreached.map(({ value }) => value.name),
    leftOut: leftOut.map(({ value, why }) => ({ name: value.name, why })),
    states: states.map(({ current, kind }) => ({
      name: current.name,
      kind,
      dtype: current.dtype ?? 'float32',
      shape: (current.shape ?? []).map(Number),
    })),
    notes: draft.notes,
  };
}
