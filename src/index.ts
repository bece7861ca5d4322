import { losses, weightings } from '../graphs/index.ts';
import { type Augmented, type AugmentRequest, augment as augmentWith } from './augment.ts';
import { normalizeToMeanOne } from './classCounts.ts';
import type { Loss, Weighting } from './contract.ts';
import { LossgraftError } from './errors.ts';
import type { Reduction } from './graft.ts';
import { nearestNames } from './ir/graph.ts';
import { type Model, open } from './model.ts';
import { resolveOptions } from './options.ts';
import {
  type AugmentCase,
  type ValidateOptions,
  type ValidationReport,
  validate as validateCases,
} from './validate/index.ts';

export type { Augmented, AugmentReport } from './augment.ts';
export { defineLoss, defineWeighting, type Loss, type OptionSpec, type Weighting } from './contract.ts';
export { readCounts, readWeights } from './data/counts.ts';
export { type DataOptions, type Dataset, fromTensors, openData } from './data/dataset.ts';
export { type Column, decodeNpy, encodeNpy } from './data/npy.ts';
export { writeNpz } from './data/npz.ts';
export { LossgraftError, type Problem } from './errors.ts';
export type { Reduction } from './graft.ts';
export { type Inspection, type InspectOptions, inspect } from './inspect.ts';
export { type ClassSummary, type RunOptions, type RunProgress, type RunResult, run } from './run.ts';
export { diagnoseProviders as doctor, type Finding, type ProviderReport } from './runtime/diagnose.ts';
export type { Provider } from './runtime/session.ts';
export type { DataType, Tensor } from './tensor.ts';
export type { CaseReport, Errors, OutputReport, ValidationReport, Verdict } from './validate/index.ts';
export { VERSION } from './version.ts';
export type { WriteOptions } from './write.ts';
export { losses, type Model, open, weightings };

/** Options of {@link augment}. What is not listed here is an option of the loss or of the weighting, such as `alpha`. */
export interface AugmentOptions {
  /** A name from {@link losses}, or a loss of one's own. */
  readonly loss: string | Loss;
  /** Samples of each class in the training data. */
  readonly classCounts?: readonly number[];
  /** A name from {@link weightings}, or one weight per class. Default: `inverse` with counts, `none` without. */
  readonly classWeights?: string | readonly number[];
  readonly reduction?: Reduction;
  /** The tensor with the scores before the softmax, [N, C]; found by itself if left out. */
  readonly logits?: string;
  /** The tensor that the last linear layer reads, [N, D]; found by itself if left out. */
  readonly features?: string;
  /** `features` holds the norms themselves, [N] or [N, 1]. */
  readonly featuresAreNorm?: boolean;
  /** Makes a fixed batch free, and proves that it may be. */
  readonly dynamicBatch?: boolean;
  /** Other names for lossgraft's own inputs and outputs, where the model uses theirs. */
  readonly rename?: Readonly<Record<string, string>>;
  readonly [option: string]: unknown;
}

const OWN = new Set<string>([
  'loss',
  'classCounts',
  'classWeights',
  'reduction',
  'logits',
  'features',
  'featuresAreNorm',
  'dynamicBatch',
  'rename',
]);

/**
 * Grafts a loss onto a classifier: a further input `labels` (int64 [N]), further outputs `loss` (float32 []), `loss_per_sample`
 * (float32 [N]) and, for the ib losses, `ib_factor` (float32 [N]).
 *
 * @example
 * const model = await open('classifier.onnx');
 * const augmented = await augment(model, { loss: 'ib', classCounts: [5000, 2997, 1796] });
 * await augmented.write('classifier-ib.onnx');
 *
 * @throws LossgraftError where logits or features cannot be told, or an option makes no sense.
 */
export async function augment(model: Model, options: AugmentOptions): Promise<Augmented> {
  const loss = typeof options.loss === 'string' ? named(losses, options.loss, 'loss') : options.loss;
  const { weighting, custom } = weightsAsked(options);
  const rest = Object.entries(options).filter(([key, value]) => !OWN.has(key) && value !== undefined);
  const isWeightOption = (key: string): boolean => key in weighting.options && !(key in loss.options);
  const weightOptions = Object.fromEntries(rest.filter(([key]) => isWeightOption(key)));
  const lossOptions = Object.fromEntries(rest.filter(([key]) => !isWeightOption(key)));
  const classWeights = custom ?? weightsFrom(weighting, weightOptions, options.classCounts);
  const { classCounts: _counts, classWeights: _weights, ...shared } = pick(options);
  const request: AugmentRequest = { ...shared, loss, lossOptions, ...(classWeights ? { classWeights } : {}) };
  return augmentWith(model, request);
}

type Weights = NonNullable<AugmentRequest['classWeights']>;

function pick(options: AugmentOptions): Omit<AugmentOptions, string> & Partial<AugmentOptions> {
  return Object.fromEntries(Object.entries(options).filter(([key, value]) => OWN.has(key) && value !== undefined));
}

function weightsAsked(options: AugmentOptions): { weighting: Weighting; custom: Weights | undefined } {
  const { classCounts, classWeights } = options;
  const none = named(weightings, 'none', 'class-weights');
  if (classWeights !== undefined && typeof classWeights !== 'string') {
    refuseCounts(classCounts);
    return {
      weighting: none,
      custom: { values: normalizeToMeanOne(classWeights), how: 'custom, normalised to mean 1' },
    };
  }
  const name = classWeights ?? (classCounts ? 'inverse' : 'none');
  return { weighting: named(weightings, name, 'class-weights'), custom: undefined };
}

function refuseCounts(counts: readonly number[] | undefined): void {
  if (counts === undefined) return;
  throw new LossgraftError({
    code: 'unused-option',
    where: 'option class-counts',
    expected: 'either class counts or class weights of your own',
    found: 'both',
    hint: 'Leave the counts out: they would change nothing',
  });
}

function weightsFrom(
  weighting: Weighting,
  given: Readonly<Record<string, unknown>>,
  counts: readonly number[] | undefined,
): Weights | undefined {
  const options = resolveOptions(weighting.options, given, `class weights ${weighting.name}`);
  if (weighting.name === 'none') return undefined;
  if (counts !== undefined) return { values: weighting.weights(counts, options), how: weighting.name };
  throw new LossgraftError({
    code: 'option-needs-option',
    where: 'option class-weights',
    expected: 'class counts, from which to compute the weights',
    found: 'no --class-counts',
    hint: 'Add --class-counts, as a list or as a file with the labels',
  });
}

function named<T>(registry: Readonly<Record<string, T>>, name: string, option: string): T {
  const found = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(registry);
  throw new LossgraftError({
    code: `unknown-${option}`,
    where: `option ${option}`,
    expected: `one of ${known.join(', ')}`,
    found: `"${name}"`,
    hint: `Did you mean ${nearestNames(name, known)[0]}`,
  });
}

/**
 * Runs cases in the layout of ONNX's backend tests, and compares every expected output: see fixtures/README.md for what a case.json may
 * add. A case that fails, or cannot be read, is in the report.
 *
 * @throws LossgraftError if a folder is missing or holds no case.
 */
export async function validate(
  dirs: readonly string[],
  options: Omit<ValidateOptions, 'augmentCase'> = {},
): Promise<ValidationReport> {
  return validateCases(dirs, { ...options, augmentCase });
}

const augmentCase: AugmentCase = async (path, options) => {
  const model = await open(path);
  try {
    return (await augment(model, { ...options, loss: String(options.loss) })).bytes();
  } finally {
    model.close();
  }
};
