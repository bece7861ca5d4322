import type { TrainProgress } from '../records/progress.ts';
import type { Schedule } from '../records/schedule.ts';
import type { GroupResult } from './epoch.ts';

/** Where a run is: the arm's number and name, the epoch, and the steps that this process took since it began. */
export interface Place {
  readonly index: number;
  readonly arms: number;
  readonly arm: string;
  readonly epoch: number;
  readonly stepsPerEpoch: number;
  readonly stepsHere: number;
  readonly started: number;
}

/** Progress after a run of the graph. All arms but the first begin where the loss takes over. */
export function progressAt(schedule: Schedule, place: Place, { group, losses, rate }: GroupResult): TrainProgress {
  const { epochs, ibFrom } = schedule;
  const { index, arms, arm, epoch, stepsPerEpoch } = place;
  const later = epochs - ibFrom;
  const before = index === 0 ? epoch : epochs + (index - 1) * later + epoch - ibFrom;
  const step = group.step + group.steps;
  const done = stepsPerEpoch * before + step;
  const total = stepsPerEpoch * (epochs + (arms - 1) * later);
  const perStep = (performance.now() - place.started) / 1000 / place.stepsHere;
  return {
    arm,
    epoch: epoch + 1,
    epochs,
    step,
    stepsPerEpoch,
    loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
    rate,
    done,
    total,
    secondsLeft: perStep * (total - done),
  };
}
