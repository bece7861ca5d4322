import { defineLoss } from '../../src/contract.ts';
import { formOf, formOption, weightedCrossEntropy } from './pieces.ts';
import { addLogPriors, tauOption } from './priors.ts';

export const logitAdjustment = defineLoss({
  name: 'logit-adjustment',
  cites:
    'Menon et al., "Long-Tail Learning via Logit Adjustment", ICLR 2021, the loss for training, not the adjustment of a trained model',
  summary: 'logit-adjusted loss: ce of z + τ · log π, π = n / Σn; τ = 1 is balanced-softmax',
  needsFeatures: false,
  takesSoftLabels: true,
  needsCounts: true,
  countsArePriors: true,
  options: { tau: tauOption, form: formOption },
  build(op, inputs, { tau, form }) {
    const changed = addLogPriors(op, inputs, tau);
    return { perSample: weightedCrossEntropy(op, formOf(op, form, changed), changed) };
  },
});
