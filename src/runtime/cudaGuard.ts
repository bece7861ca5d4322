import { isMainThread } from 'node:worker_threads';
import { LossgraftError } from '../errors.ts';

/**
 * Turns TF32 off for NVIDIA's libraries in this process, before they start. onnxruntime-node passes no provider option but the
 * device, so `use_tf32` cannot be said; cuBLAS and cuDNN read NVIDIA_TF32_OVERRIDE when they start.
 *
 * @throws LossgraftError where the variable says otherwise, or in a worker, whose environment the libraries do not see.
 */
export function withoutTf32(): void {
  if (process.env.NVIDIA_TF32_OVERRIDE === '0') return;
  if (isMainThread && process.env.NVIDIA_TF32_OVERRIDE === undefined) {
    process.env.NVIDIA_TF32_OVERRIDE = '0';
    return;
  }
  throw new LossgraftError({
    code: 'tf32-not-off',
    where: 'CUDA session',
    expected: 'NVIDIA_TF32_OVERRIDE=0',
    found: process.env.NVIDIA_TF32_OVERRIDE ?? 'unset in a worker thread, where it cannot be set for native libraries',
    hint: 'Set NVIDIA_TF32_OVERRIDE=0 before the process starts, or allow TF32 with the option tf32',
  });
}

/** Explains why a CUDA session could not be created. */
export async function requireCuda(model: string, cause: unknown): Promise<never> {
  throw new LossgraftError({
    code: 'cuda-unavailable',
    where: model,
    expected: 'a CUDA session',
    found: cause instanceof Error ? cause.message : String(cause),
    hint: 'Run lossgraft doctor',
    cause,
  });
}
