/** What a user's program does up to the first step of training: MODEL, then the folder of the run. Prints `step` and leaves. */
import { rmSync } from 'node:fs';
import { fromTensors, open, train } from '../src/index.ts';

const [path = '', folder = ''] = process.argv.slice(2);
const BATCH = 8;
const dims = [2 * BATCH, 3, 224, 224];
const labels = BigInt64Array.from({ length: 2 * BATCH }, (_, i) => BigInt(i));
const data = fromTensors({
  x: { dtype: 'float32', dims, data: new Float32Array(dims.reduce((a, b) => a * b)).fill(0.5) },
  labels: { dtype: 'int64', dims: [2 * BATCH], data: labels },
});
await train(await open(path), {
  data,
  validation: data,
  folder,
  loss: 'ce',
  optimizer: 'sgd',
  momentum: 0.9,
  trainable: 'all',
  batchSize: BATCH,
  stepsPerRun: 1,
  epochs: 1,
  report: false,
  onProgress: () => {
    console.log('step');
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  },
});
