import { openSession } from '../../src/runtime/session.ts';
import { type LossModelSpec, lossModel } from './lossModel.ts';
import type { Sample } from './oracle.ts';

export interface LossValues {
  readonly loss: number;
  readonly perSample: number[];
  readonly factor: number[];
  /** With the option `gradient`. */
  readonly logitsGrad: number[];
}

/** Runs a loss on ONNX Runtime. Logits of the samples must be float32 values already. */
export async function runLoss(spec: LossModelSpec, samples: readonly Sample[]): Promise<LossValues> {
  const rows = samples.length;
  const classes = samples[0]?.logits.length ?? 0;
  const session = await openSession(lossModel(spec).bytes);
  try {
    const labels = BigInt64Array.from(samples, (sample) => BigInt(sample.label));
    const results = await session.run({
      logits: { dtype: 'float32', dims: [rows, classes], data: Float32Array.from(samples.flatMap((s) => s.logits)) },
      labels: { dtype: 'int64', dims: [rows], data: labels },
      ...(spec.loss.needsFeatures
        ? { norm: { dtype: 'float32', dims: [rows], data: Float32Array.from(samples, (s) => s.norm) } }
        : {}),
    });
    const numbers = (name: string): number[] => Array.from(results[name]?.data ?? [], Number);
    return {
      loss: numbers('loss')[0] ?? Number.NaN,
      perSample: numbers('loss_per_sample'),
      factor: numbers('ib_factor'),
      logitsGrad: numbers('logits.grad'),
    };
  } finally {
    await session.close();
  }
}

/** The largest |actual − expected| / |expected|; what is below float32's range counts as 0. */
export function worstRelative(actual: readonly number[], expected: readonly number[]): number {
  return expected.reduce((worst, want, i) => {
    const apart = Math.abs((actual[i] ?? Number.NaN) - want);
    if (Number.isNaN(apart)) return Number.POSITIVE_INFINITY;
    return apart < 1e-30 ? worst : Math.max(worst, apart / Math.abs(want));
  }, 0);
}
