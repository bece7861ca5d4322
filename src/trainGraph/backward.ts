import type { Emitter, Value } from '../emit/index.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import { isView } from '../ir/edit.ts';
import type { Graph, InitializerSource } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { readTensor } from '../onnx/index.ts';
import type { Tensor } from '../tensor.ts';
import { type ConstantReader, inferOwnTypes } from '../transform/constantValues.ts';
import { differentiate } from '../transform/differentiate.ts';
import { type CutPlace, cutAt } from '../transform/frozen.ts';
import type { Calculus } from '../transform/gradientOutputs.ts';
import { type Grafted, type GraftRequest, graft } from '../transform/graft.ts';
import { halfOf, type NarrowRequest, narrow, type Precision, refuseUnnarrowed } from '../transform/halfPrecision.ts';
import { weightScales } from '../transform/learnedScales.ts';
import { scaleInput } from '../transform/lossScale.ts';
import { type LeftOut, leftOutNotes, type Parameter } from '../transform/parameters.ts';
import { type Prepared, type PrepareRequest, prepare } from '../transform/prepare.ts';
import { straightThrough } from '../transform/qdq.ts';
import { isRounding, otherWeightsNotes } from '../transform/quantised.ts';
import { trainedParameters } from '../transform/scales.ts';

export interface BackwardRequest extends GraftRequest, PrepareRequest {
  /** In which the model's products are computed; weights, losses and updates are float32. Default `float32`. */
  readonly precision?: Precision;
  readonly calculus: Calculus;
  /** Also trains the scales of trained weights that are quantised. */
  readonly learnScales?: boolean;
  /** `head`, `all`, patterns of parameter names, or names of tensors; a list of these. */
  readonly trainable: string;
  /** The part in front of it is a graph of its own. */
  readonly frozen?: CutPlace;
}

/** A graph with a loss and its gradients, before expanding composites. */
export interface Backward {
  readonly draft: Prepared;
  readonly grafted: Grafted;
  /** The parameters that the loss depends on, with their gradients. */
  readonly gradients: ReadonlyMap<Value, Value>;
  readonly trained: readonly Parameter[];
  /** Requested parameters that the loss does not depend on. */
  readonly unreached: readonly Parameter[];
  /** Tensors that `all` leaves out because they are not parameters. */
  readonly leftOut: readonly LeftOut[];
  readonly constant: ConstantReader;
  /** What the loss was multiplied by before it was differentiated, and with it the gradients: an input. */
  readonly scale: Value | undefined;
  /** The trained scales of quantised weights, by name, as in the file. */
  readonly initialScales: ReadonlyMap<string, Tensor>;
}

/** The input that holds the learning rate. */
export const LEARNING_RATE = 'learning_rate';

/** Prepares, grafts and differentiates. @throws LossgraftError naming what cannot be trained, and why. */
export async function backward(model: Model, request: BackwardRequest): Promise<Backward> {
  refuseUnreduced(request);
  const draft = await prepare(model, request);
  const { graph } = draft;
  const data = [...graph.inputs];
  const constant = await draft.constants();
  const among = new Set(graph.nodes);
  const grafted = graft(draft, request, [LEARNING_RATE]);
  const { parameters: asked, leftOut } = trainedParameters(graph, request.trainable, grafted.logits);
  if (request.frozen) {
    const nexts = draft.statistics.map(({ next }) => next);
    cutAt(graph, request.frozen, { outputs: [grafted.logits, ...grafted.outputs, ...nexts], data, among });
  }
  await inferOwnTypes(model, graph);
  const scales = request.learnScales ? weightScales(graph, asked) : [];
  straightThrough(grafted.op, new Set(scales.map(({ value }) => value)));
  const all = [...asked, ...scales];
  const wrt = all.map(({ value }) => value);
  halve(grafted.op, request.precision, { among, constant, trained: new Set(wrt) });
  const scale = request.precision === 'mixed' ? scaleInput(grafted.op) : undefined;
  const options = { rules: request.calculus.gradients, constant, replacesForward: true, scale };
  const gradients = differentiate(grafted.op, grafted.loss, wrt, options);
  const trained = all.filter(({ value }) => gradients.has(value));
  const unreached = all.filter(({ value }) => !gradients.has(value));
  if (trained.length === 0) throw nothingTrained(unreached, grafted.logits);
  draft.notes.push(...leftOutNotes(leftOut, option('trainable')));
  if (request.trainable === 'all') draft.notes.push(...otherWeightsNotes(graph));
  if (scales.length > 0)
    draft.notes.push(`The scales of ${scales.length} weights are trained too, and the file gets them`);
  const initialScales = new Map(scales.map(({ value, source }) => [value.name, readSource(model, source)]));
  return { draft, grafted, gradients, initialScales, trained, unreached, leftOut, constant, scale };
}

function readSource(model: Model, source: InitializerSource): Tensor {
  return isView(source) ? readTensor(model.proto.source, source, { modelDir: model.dir }) : source;
}

function halve(op: Emitter, precision: Precision | undefined, request: NarrowRequest): void {
  const half = halfOf(precision);
  if (half) refuseRounding(op.graph);
  if (half) refuseUnnarrowed(narrow(op, half, request), half, op.opset);
}

/** Half precision between roundings would round twice, and hide the pairs that gradients pass through. */
function refuseRounding({ nodes }: Graph): void {
  const node = nodes.find(isRounding);
  if (node === undefined) return;
  throw new LossgraftError({
    code: 'mixed-precision',
    where: 'option precision',
    expected: 'a model that is not quantised',
    found: describeNode(node),
    hint: 'Leave the option out: a quantised model trains in float32 between its roundings',
  });
}

function nothingTrained(unreached: readonly Parameter[], logits: Value): LossgraftError {
  const names = unreached.slice(0, 3).map(({ value }) => `"${value.name}"`);
  return new LossgraftError({
    code: 'no-parameters',
    where: 'option trainable',
    expected: `parameters from which the logits "${logits.name}" are computed`,
    found: `${names.join(', ')}${unreached.length > names.length ? ', …' : ''}, from which they are not`,
    hint: `Name others, or take ${option('trainable', 'all')} for all that can be trained`,
  });
}

function refuseUnreduced({ reduction }: BackwardRequest): void {
  if (reduction !== 'none') return;
  throw new LossgraftError({
    code: 'option-range',
    where: 'option reduction',
    expected: 'mean or sum, so that there is one loss to differentiate',
    found: 'none',
    hint: 'Omit it for the mean',
  });
}
