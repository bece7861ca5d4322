import { cpus } from 'node:os';
import { setTimeout } from 'node:timers/promises';

const LOOK = 1000;

/** How much of all cores' time others take, in percent: what is timed beside them is worth little. */
export async function busyPercent(): Promise<number> {
  const before = coreTimes();
  await setTimeout(LOOK);
  const after = coreTimes();
  return Math.round(100 * (1 - (after.idle - before.idle) / (after.all - before.all)));
}

function coreTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map((core) => core.times);
  const all = times.flatMap((of) => Object.values(of)).reduce((sum, time) => sum + time, 0);
  return { idle: times.reduce((sum, { idle }) => sum + idle, 0), all };
}
