import { defineLoss } from '../../src/contract.ts';
import { influenceFactor, influenceOptions } from './influence.ts';
import { sigmoidIb } from './multiLabel/sigmoidIb.ts';
import { formOf, formOption, weightedCrossEntropy } from './pieces.ts';

export const ib = defineLoss({
  name: 'ib',
  cites:
    'Park et al., "Influence-Balanced Loss for Imbalanced Visual Classification", ICCV 2021, equation 6; IBLoss in their code',
  summary:
    'influence-balanced loss: −w_y · log softmax(z)_y · α / (g·H + ε), g = Σ_k |softmax(z)_k − onehot_k|, H = Σ|h|',
  multiLabel: sigmoidIb,
  needsFeatures: true,
  takesSoftLabels: true,
  options: { ...influenceOptions, form: formOption },
  build(op, inputs, options) {
    const form = formOf(op, options.form, inputs);
    const crossEntropy = weightedCrossEntropy(op, form, inputs);
    const factor = influenceFactor(op, form, inputs, options);
    return { perSample: op.mul(crossEntropy, factor), extra: { ib_factor: factor } };
  },
});
