import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Dataset, fromTensors, type Model, train } from '../src/index.ts';
import { elementCount } from '../src/tensor.ts';
import type { Job, Work } from './works.ts';

/** Samples to judge by: few, since it is not judging that is timed. */
const JUDGED = 2;

/** The steps of epochs of `train`, the first epoch left out: milliseconds for each, an epoch's mean. */
export async function timeEpochs(model: Model, work: Work, job: Job): Promise<number[]> {
  const { batch, rounds, lower, threads } = job;
  const cores = availableParallelism();
  if (threads !== cores)
    throw new Error(`\`train\` takes all ${cores} cores, and PyTorch would have ${threads} threads`);
  const folder = mkdtempSync(join(tmpdir(), 'lossgraft-bench-'));
  const steps = work.steps ?? 1;
  try {
    const { history, features } = await train(model, {
      data: samples(work, steps * batch),
      validation: samples(work, JUDGED),
      folder,
      loss: 'ce',
      optimizer: 'sgd',
      momentum: 0.9,
      learningRate: 0.001,
      trainable: work.trainable,
      batchNorm: work.batchNorm,
      batchSize: batch,
      epochs: Math.max(3, Math.ceil(rounds / 2)),
      cacheFeatures: work.way === 'cached' ? 'on' : 'off',
      report: false,
      lower,
    });
    if (features?.cached !== (work.way === 'cached')) throw new Error(`features: ${features?.why ?? 'none'}`);
    const epochs = history.flatMap(({ trainSeconds }) => (trainSeconds === undefined ? [] : [trainSeconds]));
    return epochs.slice(1).map((seconds) => (1000 * seconds) / steps);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function samples({ shape, classes }: Work, rows: number): Dataset {
  const dims = [rows, ...shape.slice(1)];
  const data = new Float32Array(elementCount(dims));
  for (let i = 0; i < data.length; i++) data[i] = Math.sin(i);
  const labels = BigInt64Array.from({ length: rows }, (_, i) => BigInt(i % classes));
  return fromTensors({
    x: { dtype: 'float32', dims, data },
    labels: { dtype: 'int64', dims: [rows], data: labels },
  });
}
