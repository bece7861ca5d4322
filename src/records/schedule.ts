import { LossgraftError } from '../errors.ts';

/** The learning rate schedule, as plain data. */
export interface Schedule {
  readonly epochs: number;
  /** The learning rate after warm-up, before anything lowers it. */
  readonly rate: number;
  /** `step`: times `gamma` at each milestone; `cosine`: half a cosine down to 0. */
  readonly kind: 'constant' | 'step' | 'cosine';
  /** The rate rises linearly over this many epochs. */
  readonly warmup: number;
  /** Epochs, counted from 0, before which the rate is multiplied by `gamma`. */
  readonly milestones: readonly number[];
  readonly gamma: number;
  /** The epoch, counted from 0, from which the loss is used; before it the first loss is. 0: from the start. */
  readonly ibFrom: number;
  /** The factor on the rate from `ibFrom` on. */
  readonly ibRateFactor: number;
  /** Whether warm-up and cosine advance with every step, or, as in the IB loss's reference code, with every epoch. */
  readonly by: 'step' | 'epoch';
}

export const DEFAULT_SCHEDULE: Schedule = {
  epochs: 10,
  rate: 0.01,
  kind: 'constant',
  warmup: 0,
  milestones: [],
  gamma: 0.1,
  ibFrom: 0,
  ibRateFactor: 0.01,
  by: 'step',
};

/** A step of an epoch, both counted from 0. */
export interface Moment {
  readonly epoch: number;
  readonly step: number;
  readonly stepsPerEpoch: number;
}

/** The first loss, cross-entropy by default, or the requested one. */
export type Phase = 'first' | 'loss';

/** The loss of an epoch. The optimizer's states have the same names in both graphs, so momentum carries over. */
export function phaseOf(schedule: Schedule, epoch: number): Phase {
  return epoch < schedule.ibFrom ? 'first' : 'loss';
}

/** The learning rate of a step: rate · warm-up · decay · cut. */
export function rateAt(schedule: Schedule, moment: Moment): number {
  const cut = schedule.ibFrom > 0 && phaseOf(schedule, moment.epoch) === 'loss' ? schedule.ibRateFactor : 1;
  return schedule.rate * warmupAt(schedule, moment) * decayAt(schedule, moment) * cut;
}

/** min(1, t / warmup), where t counts this epoch, or this step, as done. */
function warmupAt({ warmup, by }: Schedule, { epoch, step, stepsPerEpoch }: Moment): number {
  if (warmup === 0) return 1;
  return Math.min(1, (by === 'epoch' ? epoch + 1 : epoch + (step + 1) / stepsPerEpoch) / warmup);
}

function decayAt(schedule: Schedule, { epoch, step, stepsPerEpoch }: Moment): number {
  const { kind, epochs, warmup, milestones, gamma, by } = schedule;
  if (kind === 'constant') return 1;
  if (kind === 'step') return gamma ** milestones.filter((milestone) => epoch >= milestone).length;
  const t = by === 'epoch' ? epoch : epoch + step / stepsPerEpoch;
  return t < warmup ? 1 : (1 + Math.cos((Math.PI * (t - warmup)) / (epochs - warmup))) / 2;
}

/** The options that a recipe sets; the user's own options override it. */
export interface Recipe {
  readonly schedule: Schedule;
  readonly batchSize: number;
  readonly optimizer: string;
  readonly optimizerOptions: Readonly<Record<string, number>>;
  readonly augmentation: { readonly padding: number; readonly flip: boolean };
}

/**
 * `ib-cifar`: the training of the IB loss's authors on CIFAR (Park et al., ICCV 2021, and their script), its 200 epochs generalised to
 * `epochs`: cross-entropy for the first half, the loss for the second at a hundredth of the rate; warm-up over 5 epochs; another
 * hundredth from 80 % and from 90 % of the epochs on.
 */
export function ibCifar(epochs = 200): Recipe {
  return {
    schedule: {
      epochs,
      rate: 0.1,
      kind: 'step',
      warmup: Math.min(5, Math.floor(epochs / 2)),
      milestones: [Math.round(0.8 * epochs), Math.round(0.9 * epochs)],
      gamma: 0.01,
      ibFrom: Math.floor(epochs / 2),
      ibRateFactor: 0.01,
      by: 'epoch',
    },
    batchSize: 128,
    optimizer: 'sgd',
    optimizerOptions: { momentum: 0.9, weightDecay: 2e-4 },
    augmentation: { padding: 4, flip: true },
  };
}

export const recipes = { 'ib-cifar': ibCifar } as const;

export type RecipeName = keyof typeof recipes;

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;

/** @throws LossgraftError `schedule` naming the invalid part. */
export function checkSchedule(schedule: Schedule): void {
  const { epochs, rate, warmup, milestones, gamma, ibFrom, ibRateFactor } = schedule;
  const rules: readonly (readonly [string, boolean, string, unknown])[] = [
    ['epochs', isCount(epochs) && epochs > 0, 'a whole number above 0', epochs],
    ['learningRate', Number.isFinite(rate) && rate > 0, 'a number above 0', rate],
    ['warmup', warmup >= 0 && warmup < epochs, `a number of epochs from 0 to below ${epochs}`, warmup],
    ['milestones', milestones.every(isCount), 'whole numbers of epochs', milestones.join(', ')],
    ['stepFactor', gamma > 0 && gamma <= 1, 'a factor above 0, at most 1', gamma],
    ['ibFrom', isCount(ibFrom) && ibFrom < epochs, `an epoch from 0 to ${epochs - 1}`, ibFrom],
    ['ibRateFactor', Number.isFinite(ibRateFactor) && ibRateFactor > 0, 'a number above 0', ibRateFactor],
  ];
  const broken = rules.find(([, holds]) => !holds);
  if (broken === undefined) return;
  const [option, , expected, found] = broken;
  throw new LossgraftError({
    code: 'schedule',
    where: `option ${option}`,
    expected,
    found: String(found),
    hint: 'Correct or omit it',
  });
}
