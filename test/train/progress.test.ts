import { expect, it } from 'vitest';
import { DEFAULT_SCHEDULE } from '../../src/records/schedule.ts';
import { ProgressMeter } from '../../src/trainer/progress.ts';

/** A run of 3 epochs of 10 steps, 2 at a time; the first ones take a minute. */
function secondsLeft(perGroup: number, judging: number): (number | null)[] {
  let now = 0;
  const meter = new ProgressMeter({ ...DEFAULT_SCHEDULE, epochs: 3 }, 1, 10, () => 1000 * now);
  meter.judged(judging);
  now = 60;
  const left: (number | null)[] = [];
  for (const epoch of [0, 1, 2]) {
    for (const step of [0, 2, 4, 6, 8]) {
      const result = {
        group: { step, steps: 2, batch: 1, start: step },
        losses: [1, 1],
        rate: 0.1,
        note: undefined,
        scaling: undefined,
        waited: 0,
      };
      left.push(meter.after({ index: 0, arm: 'ib', epoch }, result).secondsLeft);
      now += perGroup;
    }
    now += judging;
  }
  return left;
}

it('the time left is told when two seconds of steps were timed, without the first ones, and counts the judging', () => {
  const [first, second, third, fourth, ...others] = secondsLeft(0.8, 5);
  // Of 13 groups after the second, and 3 times judging.
  expect([first, second, third]).toEqual([null, null, null]);
  expect(fourth).toBeCloseTo(11 * 0.8 + 15, 6);
  expect(others.map((seconds) => Number(seconds?.toFixed(3)))).toEqual(
    [10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map((groups) => Number((groups * 0.8 + 5 * Math.ceil(groups / 5)).toFixed(3))),
  );
});

it('nothing is told of a run that takes no time', () => {
  expect(secondsLeft(0.01, 0)).toEqual(Array(15).fill(null));
});
