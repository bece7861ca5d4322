import type { TrainProgress } from '../records/progress.ts';
import type { Schedule } from '../records/schedule.ts';
import { phaseOf } from '../records/schedule.ts';
import type { GroupResult } from './epoch.ts';

/** The position of a run: the arm's number and name, and the epoch, counted from 0. */
export interface Place {
  readonly index: number;
  readonly arm: string;
  readonly epoch: number;
}

/** How long steps are timed before they predict the rest. */
const LEAST_SECONDS = 2;

/** The step from which a loss is timed: after its first ones, which choose kernels and allocate buffers. */
interface Mark {
  readonly of: string;
  readonly at: number;
  readonly done: number;
  readonly epoch: number;
}

/** Counts and times the steps of a run. All arms but the first begin when the loss takes over. */
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

  /** Seconds of judging at the end of every epoch. */
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
