import { defineLoss } from '../../../src/contract.ts';
import type { Value } from '../../../src/emit/index.ts';
import { influenceFactor, influenceOptions } from '../influence.ts';
import { combined, focalGamma, focalPower, labelReduction, missesOf, wrongness } from './pieces.ts';

/** The focal bce times the factor of `sigmoid-ib`, just as the authors' IB_FocalLoss multiplies the focal loss by the factor of IB. */
export const sigmoidIbFocal = defineLoss({
  name: 'sigmoid-ib-focal',
  task: 'multi-label',
  cites:
    'Park et al., "Influence-Balanced Loss", ICCV 2021; IB_FocalLoss in their code, with the derivation (section 3.2) made for sigmoids here',
  summary:
    'influence-balanced focal loss of several labels: (1 − p_t)^γ · bce · α / (g·H + ε), g = Σ_k |σ(z_k) − y_k|, H = Σ|h|',
  needsFeatures: true,
  options: { ...influenceOptions, gamma: focalGamma(1), labelReduction },
  build(op, inputs, options) {
    const { gamma, labelReduction: how } = options;
    const side = wrongness(op, inputs);
    const terms = gamma === 0 ? side.softplus() : op.mul(focalPower(op, side, gamma), side.softplus());
    const gradientNorm = (): Value => op.reduceSum(missesOf(op, inputs), [1]);
    const factor = influenceFactor(op, { gradientNorm }, inputs, options);
    return { perSample: op.mul(combined(op, terms, inputs, how), factor), extra: { ib_factor: factor } };
  },
});
