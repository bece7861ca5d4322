import type { TrainEvent } from '../../src/index.ts';
import type { Answers, Failure, FromEngine, Request, ToEngine } from '../protocol.ts';

/** What the engine threw. */
export class EngineError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(
      'message' in failure ? failure.message : `${failure.where}: expected ${failure.expected}, found ${failure.found}`,
    );
    this.failure = failure;
  }
}

/** The engine in its thread. */
export class Client {
  readonly #worker = new Worker('engine.js', { type: 'module' });
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  #count = 0;

  constructor(onEvent: (event: TrainEvent) => void) {
    this.#worker.onmessage = ({ data }: MessageEvent<FromEngine>) => {
      if ('event' in data) {
        onEvent(data.event);
        return;
      }
      const asked = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ('value' in data) asked?.resolve(data.value);
      else asked?.reject(new EngineError(data.failure));
    };
    this.#worker.onerror = ({ message }) => this.#fail(`the engine has ended: ${message || 'out of memory, perhaps'}`);
  }

  ask<R extends Request>(request: R): Promise<Answers[R['kind']]> {
    this.#count += 1;
    const id = this.#count;
    const answered = new Promise<Answers[R['kind']]>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as Answers[R['kind']]), reject });
    });
    this.#post({ id, request });
    return answered;
  }

  cancel(): void {
    this.#post({ cancel: true });
  }

  /** Ends the thread with all that it holds. */
  close(): void {
    this.#worker.terminate();
    this.#waiting.clear();
  }

  #post(message: ToEngine): void {
    this.#worker.postMessage(message);
  }

  #fail(message: string): void {
    for (const { reject } of this.#waiting.values()) reject(new EngineError({ message }));
    this.#waiting.clear();
  }
}
