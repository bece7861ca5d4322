import type { SessionOptions } from '../runtime/session.ts';

/**
 * The options of training sessions.
 *
 * Without memory patterns a step takes half the memory and no more time: a pattern is allocated beside the previous run's memory.
 *
 * An idle thread spins for 50 µs, not for ONNX Runtime's millisecond or more. Reading data and other work need the processor: beside them
 * a step of a small network took 5 times as long with spinning. On a quiet machine the threads of an operator still find each other
 * awake.
 */
export const TRAINING_SESSION: Pick<SessionOptions, 'memoryPattern' | 'config'> = {
  memoryPattern: false,
  config: { 'session.intra_op.spin_duration_us': '50' },
};
