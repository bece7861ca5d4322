/**
 * What also runs in a browser: no files, no sessions, no threads. A bundler drops the imports of `node:` modules, which nothing here
 * reaches.
 */
export { augmentImages } from './data/augmentation.ts';
export { decodeNpy } from './data/numpy/npy.ts';
export { permutation } from './data/random.ts';
export { Collector } from './metrics/scored.ts';
export { wilson } from './metrics/wilson.ts';
export { type Metrics, metricsOf } from './records/metrics.ts';
export { DEFAULT_SCHEDULE, rateAt } from './records/schedule.ts';
export type { Tensor } from './tensor.ts';
export { tunedBytes } from './tuned/tunedBytes.ts';
