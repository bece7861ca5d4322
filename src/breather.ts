import { setImmediate } from 'node:timers/promises';

/** Without a break for so long, timers, signals and other requests of the process wait. */
const LONGEST_MS = 50;

/** A break for long loops, awaited in each turn: lets others run now and then, and ends the loop with the reason of an aborted signal. */
export function breather(signal: AbortSignal | undefined): () => Promise<void> {
  let last = performance.now();
  return async () => {
    signal?.throwIfAborted();
    if (performance.now() - last < LONGEST_MS) return;
    await setImmediate();
    last = performance.now();
    signal?.throwIfAborted();
  };
}
