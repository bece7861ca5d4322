import { setImmediate } from 'node:timers/promises';

/** After this long without a break, timers, signals and other requests of the process would wait too long. */
const LONGEST_MS = 50;

/** A break for long loops, awaited in each iteration: lets other work run now and then, and throws the reason of an aborted signal. */
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
