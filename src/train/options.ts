import type { GraftOptions } from '../bind.ts';
import type { Loss, Optimizer, Weighting } from '../contract.ts';
import type { Augmentation } from '../data/augmentation.ts';
import type { Dataset } from '../data/dataset.ts';
import type { ImbalanceType } from '../data/longTail.ts';
import { LossgraftError } from '../errors.ts';
import type { LowerMode } from '../lower/machine.ts';
import type { EpochRecord } from '../records/epoch.ts';
import type { CacheMode } from '../records/features.ts';
import type { TrainProgress } from '../records/progress.ts';
import type { RunMode } from '../records/run.ts';
import { checkSchedule, DEFAULT_SCHEDULE, type Recipe, recipes, type Schedule } from '../records/schedule.ts';
import type { Provider } from '../runtime/session.ts';
import type { TrainGraphRequest } from '../trainGraph/trainGraph.ts';
import type { Calculus } from '../transform/gradientOutputs.ts';

/** What there is by name. */
export interface Catalogue {
  readonly losses: Readonly<Record<string, Loss>>;
  readonly weightings: Readonly<Record<string, Weighting>>;
  readonly optimizers: Readonly<Record<string, Optimizer>>;
  readonly calculus: Calculus;
}

/** How a model is fine-tuned. Further keys are options of losses, weightings and the optimizer, such as `momentum`. */
export interface TrainOptions
  extends Pick<GraftOptions, 'logits' | 'features' | 'featuresAreNorm' | 'rename'>,
    Partial<Pick<TrainGraphRequest, (typeof STEP_KEYS)[number]>> {
  readonly data: Dataset;
  /** Data to choose the best epoch by, or the share of `data` that is held out for it, class by class. Default 0.2. */
  readonly validation?: Dataset | number;
  /** Judged once, when all is done: nothing is chosen by it. */
  readonly test?: Dataset;
  /** The folder of checkpoints, metrics.jsonl, TensorBoard's event files and report.html. */
  readonly folder: string;
  /** What is done with a run that is in `folder` already: it is refused (`new`, the default), gone on with, or replaced. */
  readonly mode?: RunMode;
  /** A name from `losses`, or a loss of one's own. Default `ib`. */
  readonly loss?: string | Loss;
  /** A name from `weightings`, or one weight per class. Default: `inverse` for the influence-balanced losses, `none` for others. */
  readonly classWeights?: string | readonly number[];
  /** A number, or `auto`: where the loss takes over, its mean is made that of the cross-entropy. */
  readonly alpha?: number | 'auto';
  /** Also trains with class-weighted cross-entropy, from the same start. */
  readonly baseline?: boolean;
  /** Further losses to train with from the same start: `ce`, or with class weights `ce+inverse`. */
  readonly compare?: readonly string[];
  /** A name from `optimizers`, or an optimizer of one's own. Default `sgd`. */
  readonly optimizer?: string | Optimizer;
  /** `head`, `all`, or patterns. Default `all`. */
  readonly trainable?: string;
  /** `ib-cifar`; what is said besides counts before it. */
  readonly recipe?: string;
  readonly epochs?: number;
  readonly learningRate?: number;
  readonly schedule?: Schedule['kind'];
  readonly warmup?: number;
  readonly milestones?: readonly number[];
  /** Of the `step` schedule. */
  readonly stepFactor?: number;
  /** The loss of the first phase, with class weights as in `ldam+none`. Default `ce`, without. */
  readonly firstLoss?: string;
  /** Epochs of the first loss before the loss. Default 0. */
  readonly ibFrom?: number;
  /** By what the learning rate is multiplied when the loss takes over. Default 0.01, as in the reference. */
  readonly ibRateFactor?: number;
  /** Default 64. */
  readonly batchSize?: number;
  readonly stepsPerRun?: number;
  /** Of shuffling, the split, the long tail, augmentation and Dropout. Default 0. */
  readonly seed?: number;
  readonly augmentation?: Augmentation;
  /** Cuts a long tail from balanced data: the largest class has `imbalance` times the samples of the smallest. */
  readonly imbalance?: number;
  /** Default `exp`. */
  readonly imbalanceType?: ImbalanceType;
  /** Ends after so many epochs without a better balanced accuracy on the validation data. */
  readonly patience?: number;
  /** Which epoch is taken: the best on the validation data (default), or the last. */
  readonly select?: 'best' | 'last';
  /**
   * Whether what lies before everything that is trained is computed once for each sample and kept, with the same numbers: where it is worth
   * it (`auto`, the default), always (`on`: an error says why not), or never.
   */
  readonly cacheFeatures?: CacheMode;
  /**
   * Whether the training graph takes forms that are made for this machine's ONNX Runtime and CPU, which are faster: where they are proved to
   * compute the same (`auto`, the default), or never (`off`). No file ever holds them.
   */
  readonly lower?: LowerMode;
  /** Default `cpu`. */
  readonly provider?: Provider;
  /**
   * Threads that compute one operator; default: as many as the processor has cores. A run may go on with another number: sums are then
   * divided in other places, so that its weights may differ in their last digits from those of a run that was never interrupted.
   */
  readonly threads?: number;
  /** Where the page with the run's curves and figures goes; `false`: none is written. Default `report.html` in `folder`. */
  readonly report?: string | false;
  /** Ends the run after the step that is under way; the checkpoint is written. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TrainProgress) => void;
  readonly onEpoch?: (record: EpochRecord) => void;
  /** While what is frozen is computed, before the first epoch. */
  readonly onFeatures?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly [option: string]: unknown;
}

/** Options that go to the training graph as they are. */
export const STEP_KEYS = [
  'clipNorm',
  'noDecayForVectors',
  'rateFactors',
  'accumulate',
  'batchNorm',
  'dropout',
  'keepTies',
] as const;

/** Options that say where the loss is grafted on. */
export const PLACE_KEYS = ['logits', 'features', 'featuresAreNorm', 'rename'] as const;

/** Every other option that is declared here. */
const OWN_KEYS: readonly string[] = [
  ...STEP_KEYS,
  ...PLACE_KEYS,
  'data',
  'validation',
  'test',
  'folder',
  'mode',
  'loss',
  'classWeights',
  'firstLoss',
  'alpha',
  'baseline',
  'compare',
  'optimizer',
  'trainable',
  'recipe',
  'epochs',
  'learningRate',
  'schedule',
  'warmup',
  'milestones',
  'stepFactor',
  'ibFrom',
  'ibRateFactor',
  'batchSize',
  'stepsPerRun',
  'seed',
  'augmentation',
  'imbalance',
  'imbalanceType',
  'patience',
  'select',
  'provider',
  'threads',
  'cacheFeatures',
  'lower',
  'onFeatures',
  'report',
  'signal',
  'onProgress',
  'onEpoch',
];

/** Options that losses, weightings and the optimizer declare. */
export function declaredOptions(options: TrainOptions): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).filter(([key, value]) => value !== undefined && !OWN_KEYS.includes(key)),
  );
}

/** What a recipe settles, and what the user says before it. */
export interface Plan extends Recipe {
  readonly seed: number;
}

/** @throws LossgraftError `unknown-recipe`, `schedule`, or for a batch size or a patience that is no whole number above 0. */
export function planOf(options: TrainOptions): Plan {
  const base = options.recipe === undefined ? DEFAULT_PLAN : recipeNamed(options.recipe)(options.epochs);
  const { epochs, learningRate, warmup, milestones, stepFactor, ibFrom, ibRateFactor } = options;
  const kind = options.schedule ?? (milestones === undefined ? base.schedule.kind : 'step');
  const given = { epochs, rate: learningRate, kind, warmup, milestones, gamma: stepFactor, ibFrom, ibRateFactor };
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const schedule: Schedule = { ...base.schedule, ...stated };
  checkSchedule(schedule);
  refuseUnused(options, schedule);
  const { batchSize = base.batchSize, seed = 0, patience, stepsPerRun, threads } = options;
  const counts = { 'batch-size': batchSize, patience, 'steps-per-run': stepsPerRun, threads };
  for (const [option, value] of Object.entries(counts)) {
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0))
      throw badOption(option, 'a whole number above 0', value);
  }
  const { cacheFeatures = 'auto', lower = 'auto' } = options;
  if (!['auto', 'off'].includes(lower)) throw badOption('lower', 'auto or off', lower);
  if (!['auto', 'on', 'off'].includes(cacheFeatures))
    throw badOption('cache-features', 'auto, on or off', cacheFeatures);
  if (!Number.isSafeInteger(seed) || seed < 0) throw badOption('seed', 'a whole number from 0 on', seed);
  return { ...base, schedule, batchSize, seed, augmentation: { ...base.augmentation, ...options.augmentation } };
}

const DEFAULT_PLAN: Recipe = {
  schedule: DEFAULT_SCHEDULE,
  batchSize: 64,
  optimizer: 'sgd',
  optimizerOptions: {},
  augmentation: { padding: 0, flip: false },
};

function recipeNamed(name: string): (epochs?: number) => Recipe {
  const recipe = Object.hasOwn(recipes, name) ? recipes[name] : undefined;
  if (recipe !== undefined) return recipe;
  throw badOption('recipe', `one of ${Object.keys(recipes).join(', ')}`, name);
}

function refuseUnused(options: TrainOptions, { kind, ibFrom }: Schedule): void {
  const unused = (option: string, needs: string): LossgraftError =>
    badOption(option, `to be left out without ${needs}`, 'it given');
  if (kind !== 'step' && (options.milestones ?? []).length > 0) throw unused('milestones', '--schedule step');
  if (kind !== 'step' && options.stepFactor !== undefined) throw unused('step-factor', '--schedule step');
  if (ibFrom === 0 && options.ibRateFactor !== undefined) throw unused('ib-rate-factor', '--ib-from');
  if (ibFrom === 0 && options.firstLoss !== undefined) throw unused('first-loss', '--ib-from');
  if (options.imbalance === undefined && options.imbalanceType !== undefined)
    throw unused('imbalance-type', '--imbalance');
}

export function badOption(option: string, expected: string, found: unknown): LossgraftError {
  return new LossgraftError({
    code: 'option-range',
    where: `option ${option}`,
    expected,
    found: String(found),
    hint: 'Correct it, or leave it out',
  });
}
