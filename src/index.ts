import { blocked, expansions, gradients, losses, optimizers, webgpuExpansions, weightings } from '../graphs/index.ts';
import { type Augmented, augment as augmentWith } from './augment.ts';
import { bindGraft, configured, type GraftOptions, withOrder } from './bind.ts';
import type { AugmentOptions, TrainGraphOptions, TrainOptions } from './choices.ts';
import type { GradientRule, Optimizer } from './contract.ts';
import { withLowering, withSelfTest } from './lower/diagnose.ts';
import { type OpenedModel, type OpenOptions, opened, open as openModel } from './model.ts';
import { checkNeeds, checkOptions, pick } from './options/check.ts';
import type { OptionsOf } from './options/row.ts';
import { diagnoseProviders } from './runtime/cuda/diagnose.ts';
import type { SetupOptions, SetupResult } from './runtime/cuda/setup.ts';
import type { DiagnoseOptions, ProviderReport } from './runtime/device/report.ts';
import type { Provider } from './runtime/session.ts';
import { diagnoseWebgpu } from './runtime/webgpu/diagnose.ts';
import { withStatedTask } from './statedTask.ts';
import { augmentRows } from './tables/augment.ts';
import { setupCudaRows } from './tables/setupCuda.ts';
import { graphRows, trainGraphRows } from './tables/trainGraph.ts';
import type { Job, JobOptions } from './train/job/exportJob.ts';
import type { Catalogue } from './train/options.ts';
import type { Rehearsal } from './train/rehearse.ts';
import type { TrainResult } from './train/train.ts';
import { type TrainGraph, trainGraph as trainGraphWith } from './trainGraph/trainGraph.ts';
import type { Calculus } from './transform/gradientOutputs.ts';
import { type AugmentCase, type ValidationReport, validate as validateCases } from './validate/index.ts';
import { type ValidateOptions, validateRows } from './validate/options.ts';

export * from '../graphs/catalogue.ts';
export type { Augmented, AugmentReport } from './augment.ts';
export type { Calibrated, CalibrateOptions, CalibrationReport } from './calibrate/calibrate.ts';
export type { CalibrationDecision } from './calibration/decide.ts';
export type {
  AugmentOptions,
  LossName,
  LossWithWeights,
  OptimizerName,
  TrainGraphOptions,
  TrainOptions,
  WeightingName,
} from './choices.ts';
export type { ClassCounts } from './classCounts.ts';
export { configFor } from './classes/config.ts';
export { readClassNames } from './classes/file.ts';
export {
  binary,
  type Configurable,
  type Configured,
  defineLoss,
  defineOptimizer,
  defineWeighting,
  type GradientContext,
  type GradientRule,
  type Loss,
  type LossInputs,
  type LossOutputs,
  noGradient,
  type Optimizer,
  type OptionSpec,
  type OptionSpecs,
  type OptionValues,
  type Slot,
  type Update,
  type UpdateContext,
  unary,
  type Weighting,
} from './contract.ts';
export { readCounts, readWeights } from './data/counts.ts';
export type { Column } from './data/dataset.ts';
export { type Dataset, fromTensors, type OpenedData } from './data/dataset.ts';
export type { DataDigest } from './data/digest.ts';
export { decodeNpy, encodeNpy } from './data/numpy/npy.ts';
export { writeNpz } from './data/numpy/npz.ts';
export { openData } from './data/open.ts';
export type { DataOptions } from './data/options.ts';
export { type DataParts, dataParts } from './data/parts.ts';
export { selectRows } from './data/select.ts';
export type {
  HashedFile,
  Shard,
  ShardedClasses,
  ShardedColumn,
  ShardedTable,
  ShardIndex,
} from './data/shards/format.ts';
export { labelsOf, type Split, stratifiedSplit } from './data/split.ts';
export type { Node, Operand, Pen, Value } from './emit/index.ts';
export type { ErrorCode } from './errorCodes.ts';
export { LossgraftError, type Problem } from './errors.ts';
export type { Evaluated, EvaluateOptions, EvaluateResult } from './evaluate/evaluate.ts';
export type { EvaluatePartOptions } from './evaluate/part.ts';
export type { Inspection, InspectOptions } from './inspect.ts';
export { calibrate, evaluate, evaluatePart, exportRun, predict, predictPart, rehead, shard } from './laterVerbs.ts';
export { inspect, open } from './look.ts';
export { groupsOf } from './metrics/groups.ts';
export { METRICS, type Metric, type MetricName } from './metrics/metrics.ts';
export { configFilesIn, isFolder, modelFileIn } from './modelFolder.ts';
export type { PartOptions, PartReport } from './parts/write.ts';
export type { Predictions, PredictOptions, PredictPartOptions } from './predict/predict.ts';
export type { Candidate, Prediction, PredictSummary } from './predict/prediction.ts';
export type { EpochRecord } from './records/epoch.ts';
export type { CacheMode, FeatureReport } from './records/features.ts';
export type { InfluenceOutcome } from './records/influence.ts';
export type { DetailedMetrics, Metrics, Mistake } from './records/metrics.ts';
export type { RunProgress, TrainEvent, TrainProgress } from './records/progress.ts';
export type { RunFile, RunOption, RunOrigin } from './records/runFile.ts';
export { type Recipe, type RecipeName, recipes, type Schedule } from './records/schedule.ts';
export type { Reheaded, ReheadOptions, ReheadReport } from './rehead.ts';
export {
  type Runnable,
  type RunOptions,
  type RunPartOptions,
  type RunResult,
  run,
  runPart,
} from './run.ts';
export { type RunConfig, readConfig } from './runFolder/runFile.ts';
export type { ClassSummary, RunSummary } from './runSummary.ts';
export type { SetupOptions, SetupResult } from './runtime/cuda/setup.ts';
export type { Finding, ProviderReport } from './runtime/device/report.ts';
export type { Provider } from './runtime/session.ts';
export type { ShardOptions } from './shard.ts';
export type { DataType, Tensor } from './tensor.ts';
export type { Job, JobOptions } from './train/job/exportJob.ts';
export type { Estimate, Rehearsal } from './train/rehearse.ts';
export type { TrainedArm, TrainResult } from './train/train.ts';
export type { Form, StepReport, TrainGraph } from './trainGraph/trainGraph.ts';
export type { GraftReport, Reduction } from './transform/graft.ts';
export type { WeightsReport } from './transform/perClass.ts';
export { type TunedOptions, writeTuned } from './tuned/writeBack.ts';
export type { CaseReport, Errors, OutputReport, ValidationReport, Verdict } from './validate/index.ts';
export type { ValidateOptions } from './validate/options.ts';
export { VERSION } from './version.ts';
export { refuseExisting, type WriteOptions } from './write.ts';
export type { OpenedModel as Model, OpenOptions };

/** The gradient rules: the user's own first, then the catalogue's. */
function calculusWith(own: Readonly<Record<string, GradientRule>> = {}): Calculus {
  return { gradients: { ...gradients, ...own }, expansions, webgpuExpansions, blocked };
}

/** Everything that `train` looks names up in. */
function catalogueWith(own: TrainOptions['gradients']): Catalogue {
  return { losses, weightings, optimizers, calculus: calculusWith(own) };
}

/** Finds out which providers really work here, each by a run whose numbers are checked, and which forms training uses on the CPU. */
export async function doctor(options: DiagnoseOptions = {}): Promise<ProviderReport[]> {
  const reports = [...(await diagnoseProviders(options)), await diagnoseWebgpu(options)];
  return withSelfTest(await withLowering(reports, calculusWith()));
}

/**
 * Installs the CUDA provider of onnxruntime-node's own version: by its installer if that can download, otherwise from the wheel
 * onnxruntime-gpu, which `python3 -m pip` downloads and checks. It does not install NVIDIA's own libraries.
 *
 * @throws LossgraftError if it is unavailable, has another version, or would replace other files without `force`.
 */
export async function setupCuda(options: SetupOptions = {}): Promise<SetupResult> {
  checkOptions(setupCudaRows, options);
  return (await import('./runtime/cuda/setup.ts')).setupCuda(options);
}

/**
 * Grafts a loss onto a classifier: a further input `labels` (int64 [N]), further outputs `loss` (float32 []), `loss_per_sample`
 * (float32 [N]) and, for the ib losses, `ib_factor` (float32 [N]).
 *
 * @example
 * const model = await open('classifier.onnx');
 * const augmented = await augment(model, { loss: 'ib', classCounts: [5000, 2997, 1796] });
 * await augmented.write('classifier-ib.onnx');
 *
 * @throws LossgraftError if logits or features cannot be found, or an option is invalid.
 */
export async function augment(model: OpenedModel, options: AugmentOptions): Promise<Augmented> {
  return augmentNamed(model, options);
}

/** With names known only at run time. */
async function augmentNamed(
  model: OpenedModel,
  options: OptionsOf<typeof augmentRows> & GraftOptions,
  provider: Provider = 'cpu',
): Promise<Augmented> {
  checkOptions(augmentRows, options, () => true);
  const file = opened(model);
  const { request } = bindGraft({ losses, weightings }, augmentRows, withOrder(file, options));
  const { dynamicBatch, grad, classNames } = options;
  const calculus = calculusWith(options.gradients);
  return augmentWith(file, {
    ...withStatedTask(file, request),
    calculus: provider === 'webgpu' ? { ...calculus, expansions: calculus.webgpuExpansions } : calculus,
    ...(dynamicBatch === undefined ? {} : { dynamicBatch }),
    ...(grad === undefined ? {} : { grad }),
    ...(classNames === undefined ? {} : { classNames }),
  });
}

/**
 * A training step of a classifier as standard ONNX operators: forward, loss, backward and optimizer.
 *
 * @example
 * const step = await trainGraph(model, { loss: 'ib', classCounts, optimizer: 'sgd', trainable: 'all', momentum: 0.9 });
 * await step.write('step.onnx');
 *
 * @throws LossgraftError naming what cannot be trained, and why.
 */
export async function trainGraph(model: OpenedModel, options: TrainGraphOptions): Promise<TrainGraph> {
  checkOptions(trainGraphRows, options, () => true);
  checkNeeds(trainGraphRows, options);
  const { optimizer: asked = 'sgd', trainable = 'head', form = 'step' } = options;
  const optimizer = configured<Optimizer>(optimizers, asked, 'optimizer');
  const file = opened(model);
  const bound = bindGraft({ losses, weightings }, trainGraphRows, withOrder(file, options), optimizer);
  return trainGraphWith(file, {
    ...pick(graphRows, options),
    ...withStatedTask(file, bound.request),
    calculus: calculusWith(options.gradients),
    optimizer: optimizer.of,
    optimizerOptions: bound.optimizerOptions,
    trainable,
    form,
  });
}

/**
 * Fine-tunes a classifier on data: an optional phase of cross-entropy, then the loss, judged on validation data; other losses beside it start from the same weights.
 *
 * @example
 * const tuned = await train(model, { data: await openData('train.npz'), folder: 'run', loss: 'ib', epochs: 10, baseline: true });
 * await tuned.write('tuned.onnx');
 *
 * @throws LossgraftError naming what cannot be trained, the row that does not fit, or the step at which a loss was not finite.
 */
export async function train(model: OpenedModel, options: TrainOptions): Promise<TrainResult> {
  // The trainer is as large as everything else together, and no other verb needs it.
  const { train: trainWith } = await import('./train/train.ts');
  return trainWith(catalogueWith(options.gradients), opened(model), options);
}

/**
 * Reports what `train` would do with these options, and its cost: it does everything before the first epoch, and times a few steps on
 * this machine. It writes nothing.
 *
 * @throws LossgraftError as `train` does before its first epoch is over.
 */
export async function rehearse(model: OpenedModel, options: TrainOptions): Promise<Rehearsal> {
  const { rehearse: rehearseWith } = await import('./train/rehearse.ts');
  return rehearseWith(catalogueWith(options.gradients), opened(model), options);
}

/**
 * Writes a training as a folder that workers walk, without lossgraft: graphs, the rate of every step, the order of every epoch, the data, and
 * how to start it with torchrun.
 *
 * @param options of `train`: `folder` is that of the job, which `mode: 'replace'` replaces.
 * @throws LossgraftError as `train` does before its first step; `job-unsupported` for what a job cannot hold.
 */
export async function exportJob(model: OpenedModel, options: JobOptions & TrainOptions): Promise<Job> {
  const { exportJob: exportWith } = await import('./train/job/exportJob.ts');
  return exportWith(catalogueWith(options.gradients), opened(model), options);
}

/**
 * Judges every epoch that workers trained of a job, and decides as `train` does.
 *
 * @param options those that the job was exported with.
 * @throws LossgraftError `job-unfinished`, `job-changed` naming what is not as it was, `bad-job`.
 */
export async function collectJob(model: OpenedModel, options: TrainOptions): Promise<TrainResult> {
  const { collectJob: collectWith } = await import('./train/train.ts');
  return collectWith(catalogueWith(options.gradients), opened(model), options);
}

/**
 * Runs cases in the layout of ONNX's backend tests, and compares every expected output; fixtures/README.md describes the optional
 * case.json. The report includes cases that fail or cannot be read.
 *
 * @throws LossgraftError if a folder is missing or holds no case.
 */
export async function validate(dirs: readonly string[], options: ValidateOptions = {}): Promise<ValidationReport> {
  checkOptions(validateRows, options);
  return validateCases(dirs, { ...options, augmentCase });
}

const augmentCase: AugmentCase = async (path, options, provider) => {
  const model = await openModel(path);
  try {
    return (await augmentNamed(model, { ...options, loss: String(options.loss) }, provider)).bytes();
  } finally {
    model.close();
  }
};
