import type { SessionOptions } from '../runtime/session.ts';

/**
 * How sessions of training are opened.
 *
 * Without memory patterns a step takes half of the memory and no more time: a pattern is laid out beside what the run before it took.
 *
 * A thread that has nothing to do spins for 50 µs, not for ONNX Runtime's millisecond or more. Reading data and whatever else the machine
 * does need the processor: beside them a step of a small network took 5 times as long with spinning as without. On a quiet machine the
 * threads of one operator still find each other awake.
 */
export const TRAINING_SESSION: Pick<SessionOptions, 'memoryPattern' | 'config'> = {
  memoryPattern: false,
  config: { 'session.intra_op.spin_duration_us': '50' },
};
