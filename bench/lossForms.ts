import type { Loss } from '../src/contract.ts';
import { openSession, type Session } from '../src/runtime/session.ts';
import type { Tensor } from '../src/tensor.ts';
import { lossModel } from '../test/support/lossModel.ts';

export interface LossWork {
  readonly loss: Loss;
  readonly rows: number;
  readonly classes: number;
  readonly threads: number;
  /** Also the gradients of logits and features' norm. They stay where they are made, as in a training step; their first row is fetched. */
  readonly gradient: boolean;
}

export async function openForm(
  { loss, classes, threads, gradient }: LossWork,
  form: 'fused' | 'literal',
): Promise<Session> {
  const head = gradient ? { gradient: 'head' as const } : {};
  const gamma = loss.options.gamma ? { gamma: 2 } : {};
  const weights = Array.from({ length: classes }, (_, k) => 0.5 + k / classes);
  return openSession(lossModel({ loss, classes, weights, ...head, options: { form, ...gamma } }).bytes, { threads });
}

/** Logits that lie as PyTorch's randn · 3 does: sums of twelve uniform numbers. */
export function lossInputs({ loss, rows, classes }: LossWork): Record<string, Tensor> {
  const logits = new Float32Array(rows * classes);
  for (let i = 0; i < logits.length; i++) {
    let sum = -6;
    for (let j = 0; j < 12; j++) sum += Math.random();
    logits[i] = 3 * sum;
  }
  const labels = BigInt64Array.from({ length: rows }, () => BigInt(Math.floor(Math.random() * classes)));
  const norm = Float32Array.from({ length: rows }, () => 30 * Math.random());
  return {
    logits: { dtype: 'float32', dims: [rows, classes], data: logits },
    labels: { dtype: 'int64', dims: [rows], data: labels },
    ...(loss.needsFeatures ? { norm: { dtype: 'float32', dims: [rows], data: norm } } : {}),
  };
}

/** Milliseconds of so many runs, after one that warms up. */
export async function timeLoss(
  session: Session,
  feeds: Readonly<Record<string, Tensor>>,
  runs: number,
  { gradient }: LossWork,
): Promise<number[]> {
  const fetches = gradient ? ['loss', 'logits.grad.head'] : ['loss'];
  await session.run(feeds, fetches);
  const times: number[] = [];
  for (let i = 0; i < runs; i++) {
    const begin = performance.now();
    await session.run(feeds, fetches);
    times.push(performance.now() - begin);
  }
  return times;
}
