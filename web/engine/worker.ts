import { LossgraftError } from '../../src/index.ts';
import type { Failure, FromEngine, ToEngine } from '../protocol.ts';
import { Engine } from './engine.ts';

/** The engine's thread handles one request at a time. A cancellation ends all earlier requests, whether they have begun or not. */

const post = (message: FromEngine, handedOn: Transferable[] = []): void =>
  self.postMessage(message, { transfer: handedOn });

const engine = new Engine((event) => post({ event }));
let stop = new AbortController();
let last: Promise<void> = Promise.resolve();

self.addEventListener('message', ({ data }: MessageEvent<ToEngine>) => {
  if ('cancel' in data) {
    stop.abort();
    stop = new AbortController();
    return;
  }
  const { id, request } = data;
  const { signal } = stop;
  last = last.then(async () => {
    try {
      const value = await engine.answer(request, signal);
      post({ id, value }, 'files' in value ? value.files.map(({ bytes }) => bytes.buffer) : []);
    } catch (error) {
      post({ id, failure: failureOf(error) });
    }
  });
});

function failureOf(error: unknown): Failure {
  if (!(error instanceof LossgraftError))
    return { message: error instanceof Error ? String(error.stack) : String(error) };
  const { cause: _, ...problem } = error.problem;
  return problem;
}
