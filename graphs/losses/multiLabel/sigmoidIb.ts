import { defineLoss } from '../../../src/contract.ts';
import type { Value } from '../../../src/emit/index.ts';
import { influenceFactor, influenceOptions } from '../influence.ts';
import { binaryCrossEntropy, labelReduction, missesOf } from './pieces.ts';

/**
 * The paper derives the factor for the softmax. The same derivation for sigmoids: the gradient of Σ_k bce_k in the last layer's weights is
 * (σ − y) ⊗ h, and its L1 norm is Σ_k |σ_k − y_k| · Σ|h|.
 */
export const sigmoidIb = defineLoss({
  name: 'sigmoid-ib',
  task: 'multi-label',
  cites: 'Park et al., "Influence-Balanced Loss", ICCV 2021, whose derivation (section 3.2) is made for sigmoids here',
  summary: 'influence-balanced loss of several labels: bce · α / (g·H + ε), g = Σ_k |σ(z_k) − y_k|, H = Σ|h|',
  needsFeatures: true,
  takesSoftLabels: true,
  options: { ...influenceOptions, labelReduction },
  build(op, inputs, options) {
    const gradientNorm = (): Value => op.reduceSum(missesOf(op, inputs), [1]);
    const factor = influenceFactor(op, { gradientNorm }, inputs, options);
    const loss = binaryCrossEntropy(op, inputs, options.labelReduction);
    return { perSample: op.mul(loss, factor), extra: { ib_factor: factor } };
  },
});
