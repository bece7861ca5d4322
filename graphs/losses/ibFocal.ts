import { defineLoss } from '../../src/contract.ts';
import { focalTerm, gammaOption } from './focalTerm.ts';
import { influenceFactor, influenceOptions } from './influence.ts';
import { sigmoidIbFocal } from './multiLabel/sigmoidIbFocal.ts';
import { formOf, formOption, weightedCrossEntropy } from './pieces.ts';

export const ibFocal = defineLoss({
  name: 'ib-focal',
  cites:
    'Park et al., "Influence-Balanced Loss for Imbalanced Visual Classification", ICCV 2021; IB_FocalLoss in their code',
  summary: 'influence-balanced focal loss: (1 − P)^γ · c · α / (g·H + ε), c = −w_y · log softmax(z)_y, P = e^−c',
  multiLabel: sigmoidIbFocal,
  needsFeatures: true,
  options: { ...influenceOptions, gamma: gammaOption, form: formOption },
  build(op, inputs, options) {
    const form = formOf(op, options.form, inputs);
    const focal = focalTerm(op, form, weightedCrossEntropy(op, form, inputs), options.gamma);
    const factor = influenceFactor(op, form, inputs, options);
    return { perSample: op.mul(focal, factor), extra: { ib_factor: factor } };
  },
});
