import type { TrainProgress } from '../records/progress.ts';
import type { Schedule } from '../records/schedule.ts';
import type { GroupResult } from './epoch.ts';

/** Where a run is: the arm's number and name, and the epoch, counted from 0. */
export interface Place {
  readonly index: number;
  readonly arm: string;
  readonly epoch: number;
}

/** Counts the steps of a run, and how long they take. All arms but the first begin where the loss takes over. */
export class ProgressMeter {
  readonly #schedule: Schedule;
  readonly #stepsPerEpoch: number;
  readonly #total: number;
  readonly #started: number = performance.now();
  /** That this process took. */
  #steps = 0;

  constructor(schedule: Schedule, arms: number, stepsPerEpoch: number) {
    this.#schedule = schedule;
    this.#stepsPerEpoch = stepsPerEpoch;
    this.#total = stepsPerEpoch * (schedule.epochs + (arms - 1) * (schedule.epochs - schedule.ibFrom));
  }

  after({ index, arm, epoch }: Place, { group, losses, rate }: GroupResult): TrainProgress {
    const { epochs, ibFrom } = this.#schedule;
    this.#steps += group.steps;
    const before = index === 0 ? epoch : epochs + (index - 1) * (epochs - ibFrom) + epoch - ibFrom;
    const step = group.step + group.steps;
    const done = this.#stepsPerEpoch * before + step;
    const perStep = (performance.now() - this.#started) / 1000 / this.#steps;
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
      secondsLeft: perStep * (this.#total - done),
    };
  }
}
