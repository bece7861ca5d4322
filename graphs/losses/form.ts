import type { Value } from '../../src/emit/index.ts';

/** The parts of softmax cross-entropy losses, per sample: p = softmax(z), y the label. */
export interface Form {
  /** −log p_y, [N] */
  crossEntropy(): Value;
  /** Σ_k |p_k − onehot_k|, the L1 norm of the cross-entropy's gradient by the logits, [N] */
  gradientNorm(): Value;
  /** 1 − e^−x for x ≥ 0, elementwise. */
  oneMinusExp(x: Value): Value;
}
