import { Worker } from 'node:worker_threads';
import { builtFile } from '../builtFile.ts';
import { LossgraftError } from '../errors.ts';
import { ownBuffers } from '../runtime/release.ts';
import type { TrainGraph } from '../trainGraph/trainGraph.ts';
import type { Answer, Answers, Job } from './protocol.ts';

/** Sets the runner's state to the initial state of a training graph. */
export function setInitialState(runner: Runner, graph: TrainGraph): Promise<undefined> {
  const state = Object.fromEntries(graph.initialState());
  return runner.ask({ kind: 'set', state }, ownBuffers(Object.values(state)));
}

/** A thread that trains. */
export interface Runner {
  /**
   * Does a job after the earlier ones.
   *
   * @param handedOn buffers in the job that the caller no longer needs: they are not copied.
   * @throws LossgraftError as the job does.
   */
  ask<J extends Job>(job: J, handedOn?: readonly ArrayBuffer[]): Promise<Answers[J['kind']]>;
  close(): Promise<void>;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** MiB for new objects: large data in the thread lie outside V8's heap, which would otherwise grow to 48. */
const YOUNG = 4;

/** Starts the thread. For CUDA, call `withoutTf32` before. */
export function startRunner(): Runner {
  const worker = new Worker(builtFile(new URL('./worker.js', import.meta.url)), {
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG },
  });
  const waiting = new Map<number, Waiting>();
  let count = 0;
  let dead: unknown;
  const fail = (error: unknown): void => {
    dead = error;
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  worker.on('message', (answer: Answer) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('value' in answer) asked?.resolve(answer.value);
    else asked?.reject('problem' in answer ? new LossgraftError(answer.problem) : new Error(answer.error));
  });
  worker.on('error', fail);
  worker.on('exit', (code) => fail(new Error(`the training thread ended with code ${code}`)));
  const ask = <J extends Job>(job: J, handedOn: readonly ArrayBuffer[] = []): Promise<Answers[J['kind']]> => {
    if (dead !== undefined) return Promise.reject(dead);
    count += 1;
    const id = count;
    const answered = new Promise<Answers[J['kind']]>((resolve, reject) => {
      waiting.set(id, { resolve: (value) => resolve(value as Answers[J['kind']]), reject });
    });
    worker.postMessage({ id, job }, [...new Set(handedOn)]);
    return answered;
  };
  return {
    ask,
    close: async () => {
      await worker.terminate();
    },
  };
}
