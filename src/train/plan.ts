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

/** What a recipe or a method settles, and what the user says before it. */
export interface Plan extends Recipe {
  readonly augmentation: Recipe['augmentation'] & Mixing;
  readonly seed: number;
  /** `null` where a loss is requested. */
  readonly method: MethodName | null;
  readonly goal: Goal;
  /** What the labels say. */
  readonly task: Task;
  /** Of a method: what is trained beside one another. */
  readonly losses: readonly string[];
  /** Of all losses, where nothing is said beside them. */
  readonly lossOptions: Readonly<Record<string, number>>;
  /** What is trained: see the option. */
  readonly trainable: string;
  /** A scale of each class is trained, and nothing else. */
  readonly learnsScales: boolean;
  readonly select: 'best' | 'last';
  readonly selectBy: NonNullable<TrainOptions['selectBy']>;
  /** The loss that was measured to harm no model, where just that is trained. */
  readonly safeLoss: string | null;
}

/**
 * What is known before data are opened: of a method the epochs and the rate are settled by {@link settle}.
 *
 * @throws LossgraftError `schedule` or `option-range` for options that do not go together.
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

/** The plan for data and a network of that size: what the user leaves open. */
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
  return { ...plan, schedule: { ...schedule, epochs: settled, rate, warmup: warmup ?? warmupOf(settled) } };
}

/** What a method came to, to be said before the work. */
export function describePlan({ method, schedule, optimizer, select, task }: Plan): string[] {
  if (method === null) return [];
  const { epochs, rate, kind } = schedule;
  const taken = select === 'last' ? 'the last is taken' : 'the best is taken';
  return [
    `Method ${method}: ${methodOf(method, task)?.describe}; ${optimizer}, learning rate ${rate}, ${kind}, ${epochs} epochs, of which ${taken}`,
  ];
}

/** What is refused where samples may have several labels. */
function notForLabels(method: MethodName, { recipe }: TrainOptions): LossgraftError {
  const known = METHOD_NAMES.filter((name) => methodOf(name, 'multi-label'));
  return badOption('method', `one of ${known.join(', ')} for a multi-label model`, recipe ?? method);
}

/** The loss of a recipe, where none is requested. */
export const RECIPE_LOSS = 'ib';

/** An epoch, of a few epochs less. */
function warmupOf(epochs: number): number {
  return Math.min(1, epochs / 4);
}

/** Of the methods `half` and `auto`. */
export const SAFE_LOSS = 'logit-adjustment';

function isSafe(options: TrainOptions, method: MethodName | null): boolean {
  if (method === null || !methods[method].losses.includes(SAFE_LOSS)) return false;
  const { padding = 0, flip = false } = options.augmentation ?? {};
  if (padding > 0 || flip || isMixed(options.augmentation)) return false;
  return !Object.entries(options).some(
    ([key, value]) => value !== undefined && value !== 'instance' && value !== false && CHANGES.has(key),
  );
}

/** What makes another training of a method than the one that was measured. */
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

/** With a loss of the user's choice. */
const LOSS_PLAN: Recipe = {
  schedule: DEFAULT_SCHEDULE,
  batchSize: trainRows.batchSize.default,
  optimizer: 'sgd',
  optimizerOptions: {},
  augmentation: { padding: 0, flip: false },
};

/** With a method. */
const METHOD_PLAN: Recipe = {
  ...LOSS_PLAN,
  schedule: { ...DEFAULT_SCHEDULE, epochs: 12, rate: 3e-3, kind: 'cosine', warmup: 1 },
  optimizer: 'adamw',
};
