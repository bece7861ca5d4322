import type { TrainEvent } from '../../src/index.ts';
import { ownUrl } from '../ownFile.ts';
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

/** What was asked of an engine that was closed since. */
export class Closed extends Error {}

/** The engine's script: set by build.ts. */
declare const ENGINE: string;

/**
 * A thread that the page's Content Security Policy holds for. One whose script comes by its own address has the policy of that response, which
 * is none on a static host; one that is made of a blob inherits the page's.
 */
function startThread(): Worker {
  const script = `import ${JSON.stringify(ownUrl(ENGINE).href)};`;
  const address = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  return new Worker(address, { type: 'module' });
}

interface Asked {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** The engine in its thread. */
export class Client {
  readonly #worker = startThread();
  readonly #waiting = new Map<number, Asked>();
  #count = 0;
  #end: Error | undefined;

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
    this.#worker.onerror = ({ message }) =>
      this.#finish(new EngineError({ message: `The engine has ended: ${message || 'out of memory, perhaps'}` }));
  }

  /** @throws EngineError; Closed after {@link close}. */
  ask<R extends Request>(request: R): Promise<Answers[R['kind']]> {
    this.#count += 1;
    const id = this.#count;
    const answered = new Promise<Answers[R['kind']]>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as Answers[R['kind']]), reject });
    });
    if (this.#end === undefined) this.#post({ id, request });
    else this.#finish(this.#end);
    return answered;
  }

  cancel(): void {
    this.#post({ cancel: true });
  }

  /** Ends the thread with all that it holds. */
  close(): void {
    this.#worker.terminate();
    this.#finish(new Closed('the engine was closed'));
  }

  #post(message: ToEngine): void {
    this.#worker.postMessage(message);
  }

  #finish(error: Error): void {
    this.#end = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
