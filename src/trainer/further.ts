import type { Checkpoint } from '../records/run.ts';
import { isLonger } from '../runFolder/checkpoint.ts';
import type { TrainerRequest } from './request.ts';

/** A checkpoint for more epochs: every arm continues where it stopped. A note reports that; `undefined` if no more are requested. */
export function trainedFurther(
  at: Checkpoint,
  { settings, arms, schedule }: TrainerRequest,
): { readonly checkpoint: Checkpoint; readonly note: string } | undefined {
  if (!isLonger(at.settings, settings)) return undefined;
  const { epoch, step, lossSum, lossCount, file, best, history } = at;
  const name = arms[at.arm]?.name;
  const isUnderWay = name !== undefined && (epoch > 0 || step > 0);
  const left = isUnderWay ? { ...at.left, [name]: { epoch, step, lossSum, lossCount, file, best } } : { ...at.left };
  const start = { arm: 0, epoch: 0, step: 0, lossSum: 0, lossCount: 0, best: null, bests: [], outcome: null };
  const done = Math.max(0, ...history.map((record) => record.epoch));
  const other =
    schedule.kind === 'constant'
      ? ''
      : `. The result is not that of a run of ${schedule.epochs} epochs, whose rate falls more slowly from the start`;
  const note = `The run is trained further, from epoch ${done} to ${schedule.epochs}, at the rates that a run of ${schedule.epochs} epochs has from there on${other}`;
  return { checkpoint: { ...at, ...start, settings, left }, note };
}
