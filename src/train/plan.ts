import { isMixed, type Mixing } from '../data/mixing.ts';
import type { LossgraftError } from '../errors.ts';
import { METRICS } from '../metrics/metrics.ts';
import { badOption, checkNeeds } from '../options/check.ts';
import {
  epochsFor,
  type Goal,
  METHOD_NAMES,
  type MethodName,
  methodFor,
  methodOf,
  methods,
  type NetworkSize,
  rateFor,
} from '../records/methods.ts';
import { checkSchedule, DEFAULT_SCHEDULE, type Recipe, recipes, type Schedule } from '../records/schedule.ts';
import { trainRows } from '../tables/train.ts';
import type { Task } from '../task.ts';
import type { TrainOptions } from './options.ts';

/** The settings of a recipe or a method, overridden by the user's options. */
export interface Plan extends Recipe {
  readonly augmentation: Recipe['augmentation'] & Mixing;
  readonly seed: number;
  /** `null` if a loss is requested. */
  readonly method: MethodName | null;
  readonly goal: Goal;
  /** The task of the labels. */
  readonly task: Task;
  /** For a method: the losses to train. */
  readonly losses: readonly string[];
  /** For all losses without their own weights. */
  readonly lossOptions: Readonly<Record<string, number>>;
  /** What is trained: see the option. */
  readonly trainable: string;
  /** Only a scale for each class is trained. */
  readonly learnsScales: boolean;
  readonly select: 'best' | 'last';
  readonly selectBy: NonNullable<TrainOptions['selectBy']>;
  /** Whether the rate is for a network that was never trained. */
  readonly isFresh?: boolean;
  /** The loss that measurements showed to harm no model, if only that is trained. */
  readonly safeLoss: string | null;
}

/**
 * The plan before data are opened: {@link settle} chooses a method's epochs and rate.
 *
 * @throws LossgraftError `schedule` or `option-range` for options that exclude each other.
 */
export function planOf(options: TrainOptions, task: Task = 'exclusive'): Plan {
  const { goal = trainRows.goal.default, recipe, seed = trainRows.seed.default } = options;
  const isFree = options.loss === undefined && recipe === undefined;
  const method = isFree ? (options.method ?? methodFor[goal]) : null;
  const chosenMethod = method === null ? undefined : methodOf(method, task);
  if (method !== null && chosenMethod === undefined) throw notForLabels(method, options);
  const base = recipe !== undefined ? recipes[recipe](options.epochs) : isFree ? METHOD_PLAN : LOSS_PLAN;
  const schedule = scheduleOf(options, base.schedule);
  checkSchedule(schedule);
  const chosen = selectionOf(options, method, goal);
  const loss = isFree ? undefined : (options.loss ?? RECIPE_LOSS);
  checkNeeds(trainRows, options, { ...options, ...chosen, loss, schedule: schedule.kind, ibFrom: schedule.ibFrom });
  return {
    ...base,
    schedule,
    batchSize: options.batchSize ?? base.batchSize,
    augmentation: { ...base.augmentation, ...options.augmentation },
    optimizer: typeof options.optimizer === 'string' ? options.optimizer : base.optimizer,
    seed,
    method,
    goal,
    task,
    losses: chosenMethod?.losses ?? [],
    lossOptions: chosenMethod?.lossOptions ?? {},
    ...trainedBy(options, method),
    ...chosen,
    safeLoss: task === 'exclusive' && isSafe(options, method) ? SAFE_LOSS : null,
  };
}

function trainedBy({ trainable }: TrainOptions, method: MethodName | null): Pick<Plan, 'trainable' | 'learnsScales'> {
  const trains = method === null ? undefined : methods[method].trains;
  const own = trains === undefined ? trainRows.trainable.default : 'head';
  return { trainable: trainable ?? own, learnsScales: trains === 'scales' };
}

/** Completes the plan for data and a network of that size, where the user left it open. */
export function settle(
  plan: Plan,
  { epochs, learningRate, warmup }: TrainOptions,
  about: { readonly network: NetworkSize; readonly samples: number },
): Plan {
  if (plan.method === null) return plan;
  const { batchSize, schedule } = plan;
  const settled = epochs ?? epochsFor(Math.ceil(about.samples / batchSize));
  const network = methods[plan.method].trains === undefined ? about.network : { ...about.network, hasAttention: false };
  const rate = learningRate ?? methods[plan.method].rate ?? rateFor(network);
  const isFresh = rate !== (learningRate ?? methods[plan.method].rate ?? rateFor({ ...network, isFresh: false }));
  const fresh = isFresh ? { isFresh } : {};
  return { ...plan, ...fresh, schedule: { ...schedule, epochs: settled, rate, warmup: warmup ?? warmupOf(settled) } };
}

/** The note on a method's settings before the work. */
export function describePlan({ method, schedule, optimizer, select, task, isFresh = false }: Plan): string[] {
  if (method === null) return [];
  const { epochs, rate, kind } = schedule;
  const taken = select === 'last' ? 'the last is taken' : 'the best is taken';
  const length = epochs === 1 ? '1 epoch' : `${epochs} epochs, of which ${taken}`;
  const why = isFresh ? ' (its layer norms are as they were initialised, so the network was never trained)' : '';
  return [
    `Method ${method}: ${methodOf(method, task)?.describe}; ${optimizer}, learning rate ${rate}${why}, ${kind}, ${length}`,
  ];
}

/** Options refused if samples may have several labels. */
function notForLabels(method: MethodName, { recipe }: TrainOptions): LossgraftError {
  const known = METHOD_NAMES.filter((name) => methodOf(name, 'multi-label'));
  return badOption('method', `one of ${known.join(', ')} for a multi-label model`, recipe ?? method);
}

/** The loss of a recipe, if none is requested. */
export const RECIPE_LOSS = 'ib';

/** A number of epochs, scaled down for short runs. */
function warmupOf(epochs: number): number {
  return Math.min(1, epochs / 4);
}

/** For the methods `half` and `auto`. */
export const SAFE_LOSS = 'logit-adjustment';

function isSafe(options: TrainOptions, method: MethodName | null): boolean {
  if (method === null || !methods[method].losses.includes(SAFE_LOSS)) return false;
  const { padding = 0, flip = false } = options.augmentation ?? {};
  if (padding > 0 || flip || isMixed(options.augmentation)) return false;
  return !Object.entries(options).some(
    ([key, value]) => value !== undefined && value !== 'instance' && value !== false && CHANGES.has(key),
  );
}

/** Options that turn a method into something other than the measured training. */
const CHANGES: ReadonlySet<string> = new Set([
  'learningRate',
  'optimizer',
  'schedule',
  'milestones',
  'warmup',
  'batchNorm',
  'dropout',
  'rateFactors',
  'tau',
  'sampler',
  'freshHead',
]);

function scheduleOf(options: TrainOptions, base: Schedule): Schedule {
  const { epochs = base.epochs, learningRate, milestones, stepFactor, ibFrom, ibRateFactor } = options;
  const kind = options.schedule ?? (milestones === undefined ? base.kind : 'step');
  const warmup = options.warmup ?? (base === METHOD_PLAN.schedule ? warmupOf(epochs) : undefined);
  const given = { epochs, rate: learningRate, kind, warmup, milestones, gamma: stepFactor, ibFrom, ibRateFactor };
  const stated = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...base, ...stated };
}

function selectionOf(
  { select, selectBy, patience, goal: asked }: TrainOptions,
  method: MethodName | null,
  goal: Goal,
): Pick<Plan, 'select' | 'selectBy'> {
  const isChosen = method === null || selectBy !== undefined || patience !== undefined;
  const byGoal = goal === 'macro-f1' && (method !== null || asked !== undefined);
  return {
    select: select ?? (isChosen ? 'best' : 'last'),
    selectBy: selectBy ?? (byGoal ? METRICS.macroF1 : METRICS.balancedAccuracy).option,
  };
}

/** Defaults with an explicit loss. */
const LOSS_PLAN: Recipe = {
  schedule: DEFAULT_SCHEDULE,
  batchSize: trainRows.batchSize.default,
  optimizer: 'sgd',
  optimizerOptions: {},
  augmentation: { padding: 0, flip: false },
};

/** Defaults with a method. */
const METHOD_PLAN: Recipe = {
  ...LOSS_PLAN,
  schedule: { ...DEFAULT_SCHEDULE, epochs: 12, rate: 3e-3, kind: 'cosine', warmup: 1 },
  optimizer: 'adamw',
};
