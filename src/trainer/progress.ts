import type { TrainProgress } from '../records/progress.ts';
import type { Schedule } from '../records/schedule.ts';
import { phaseOf } from '../records/schedule.ts';
import type { GroupResult } from './epoch.ts';

/** Where a run is: the arm's number and name, and the epoch, counted from 0. */
export interface Place {
  readonly index: number;
  readonly arm: string;
  readonly epoch: number;
}

/** Steps are timed for so long before they tell how long the others take. */
const LEAST_SECONDS = 2;

/** From where on the steps of a loss are timed: after its first ones, during which kernels are chosen and buffers made. */
interface Mark {
  readonly of: string;
  readonly at: number;
  readonly done: number;
  readonly epoch: number;
}

/** Counts the steps of a run, and how long they take. All arms but the first begin where the loss takes over. */
export class ProgressMeter {
  readonly #schedule: Schedule;
  readonly #stepsPerEpoch: number;
  readonly #total: number;
  readonly #now: () => number;
  #mark: Mark | undefined;
  #perStep: number | undefined;
  #perJudging = 0;

  /** @param now milliseconds. */
  constructor(schedule: Schedule, arms: number, stepsPerEpoch: number, now: () => number = () => performance.now()) {
    this.#schedule = schedule;
    this.#stepsPerEpoch = stepsPerEpoch;
    this.#total = stepsPerEpoch * (schedule.epochs + (arms - 1) * (schedule.epochs - schedule.ibFrom));
    this.#now = now;
  }

  /** Every epoch ends with so many seconds of judging. */
  judged(seconds: number): void {
    this.#perJudging = seconds;
  }

  after(place: Place, { group, losses, rate, scaling }: GroupResult): TrainProgress {
    const { index, arm, epoch } = place;
    const { epochs, ibFrom } = this.#schedule;
    const before = index === 0 ? epoch : epochs + (index - 1) * (epochs - ibFrom) + epoch - ibFrom;
    const step = group.step + group.steps;
    const done = this.#stepsPerEpoch * before + step;
    return {
      arm,
      epoch: epoch + 1,
      epochs,
      step,
      stepsPerEpoch: this.#stepsPerEpoch,
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      rate,
      done,
      total: this.#total,
      secondsLeft: this.#secondsLeft(place, done),
      ...scaling,
    };
  }

  #secondsLeft({ arm, epoch }: Place, done: number): number | null {
    const of = `${arm}, ${phaseOf(this.#schedule, epoch)}`;
    if (this.#mark?.of !== of) this.#mark = { of, at: this.#now(), done, epoch };
    const { at, done: from, epoch: since } = this.#mark;
    const seconds = (this.#now() - at) / 1000 - (epoch - since) * this.#perJudging;
    if (seconds >= LEAST_SECONDS && done > from) this.#perStep = seconds / (done - from);
    if (this.#perStep === undefined) return null;
    const left = this.#total - done;
    return this.#perStep * left + this.#perJudging * Math.ceil(left / this.#stepsPerEpoch);
  }
}
