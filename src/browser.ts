/** What runs in a browser, too: no files, no sessions, no threads. A bundler leaves the imports of `node:` modules out, which nothing here reaches. */
export { augmentImages } from './data/augmentation.ts';
export { decodeNpy } from './data/npy.ts';
export { permutation } from './data/random.ts';
export type { Tensor } from './tensor.ts';
export { argmaxRows, confusionMatrix, type Metrics, metricsOf } from './train/metrics.ts';
export { DEFAULT_SCHEDULE, rateAt } from './train/schedule.ts';
export { tunedBytes } from './train/tunedBytes.ts';
