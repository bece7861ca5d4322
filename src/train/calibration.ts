import { placeNodes } from '../calibration/apply.ts';
import { ofOneScore } from '../calibration/methods.ts';
import { openClassifier } from '../classifier/classifier.ts';
import { LossgraftError, option } from '../errors.ts';
import { areKept, MAX_KEPT } from '../metrics/scored.ts';
import type { Model } from '../model.ts';
import type { ModelEdit } from '../onnx/types.ts';
import { badOption } from '../options/check.ts';
import type { Task } from '../task.ts';
import type { Tensor } from '../tensor.ts';
import { type Affine, type HeadTensor, type LinearHead, mappedHead } from '../tuned/head.ts';
import type { DividedData } from './data.ts';
import type { TrainOptions } from './options.ts';
import { lastLayer } from './scaledHead.ts';

/** A trained state with its calibration: in the tensors of the last layer, or in nodes behind the scores. */
export interface PlacedCalibration {
  readonly state: ReadonlyMap<string, Tensor>;
  readonly edit?: ModelEdit;
  readonly notes: readonly string[];
}

/** The scores of a run. */
export interface CalibrationPlace {
  /** As given by the user. */
  readonly logits: string | undefined;
  readonly task: Task;
}

/** Where a calibration is written. @throws LossgraftError `not-calibrated` if the file's labels cannot follow. */
export async function placeCalibration(
  model: Model,
  { logits, task }: CalibrationPlace,
  state: ReadonlyMap<string, Tensor>,
  map: Affine,
): Promise<PlacedCalibration> {
  const head = await lastLayer(model, logits, map.scale.length);
  if (head) {
    const trained = withState(head, state);
    const { dims } = head.weight.tensor;
    const isOne = dims.at(head.classesFirst ? 0 : -1) === 1;
    const mapped = mappedHead(trained, isOne ? ofOneScore(map) : map);
    if (mapped) return { state: new Map([...state, ...mapped]), notes: [] };
  }
  const { graph, scores, form } = await openClassifier(model, { logits, task });
  const own = form === 'binary' ? ofOneScore(map) : map;
  const { edit, notes } = placeNodes({ model, graph, scores, map: own, areProbabilities: false });
  return { state, edit, notes: [NODES, ...notes] };
}

const NODES =
  'The calibration goes into nodes behind the scores: the last layer has no weights and bias of its own that could take it';

function withState({ weight, bias, classesFirst }: LinearHead, state: ReadonlyMap<string, Tensor>): LinearHead {
  const trained = ({ name, tensor }: HeadTensor): HeadTensor => {
    const data = state.get(name)?.data;
    return { name, tensor: data instanceof Float32Array ? { ...tensor, data } : tensor };
  };
  return { weight: trained(weight), bias: bias && trained(bias), classesFirst };
}

/** Beyond this, the search for biases takes minutes. */
const MAX_SEARCH = 2e9;

/** Notes on a calibration before the work. @throws LossgraftError for a model or data that cannot be calibrated. */
export async function calibrationNotes(
  model: Model,
  { calibrate: method, logits, threshold, task = 'exclusive' }: TrainOptions,
  { validation, test }: DividedData,
  classes: number,
): Promise<readonly string[]> {
  if (method === undefined) return [];
  if (model.stored) throw halfPrecision(model.name);
  if (threshold === 'tune')
    throw badOption(
      'threshold',
      `numbers beside ${option('calibrate')}, which changes the scores that thresholds are tuned to`,
      threshold,
    );
  const most = Math.max(validation.rows.length, test?.rows.length ?? 0);
  if (!areKept(most, classes))
    throw badOption('calibrate', `at most ${MAX_KEPT} scores, all samples and classes together`, most * classes);
  if (method === 'biases' && task === 'exclusive' && validation.rows.length * classes ** 2 > MAX_SEARCH)
    throw badOption('calibrate', `another method for ${validation.rows.length} samples of ${classes} classes`, method);
  const isScale = method === 'temperature';
  const some = Float64Array.from({ length: classes }, (_, k) => k + 1);
  const map = isScale
    ? { scale: new Float64Array(classes).fill(2), offset: new Float64Array(classes) }
    : { scale: new Float64Array(classes).fill(1), offset: some };
  const { notes } = await placeCalibration(model, { logits, task }, new Map(), map);
  return notes;
}

/** Rounding would change the judged map. */
function halfPrecision(where: string): LossgraftError {
  return new LossgraftError({
    code: 'not-calibrated',
    where,
    expected: 'weights in float32',
    found: 'weights in half precision',
    hint: `Leave ${option('calibrate')} out, and calibrate the model that is written with "lossgraft calibrate"`,
  });
}
