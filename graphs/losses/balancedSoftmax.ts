import { defineLoss } from '../../src/contract.ts';
import { formOf, formOption, weightedCrossEntropy } from './pieces.ts';
import { addLogPriors } from './priors.ts';

export const balancedSoftmax = defineLoss({
  name: 'balanced-softmax',
  cites: 'Ren et al., "Balanced Meta-Softmax for Long-Tailed Visual Recognition", NeurIPS 2020',
  summary: 'balanced softmax: ce of z + log n',
  needsFeatures: false,
  takesSoftLabels: true,
  needsCounts: true,
  countsArePriors: true,
  options: { form: formOption },
  // log n and log π differ by log Σn, which is the same for all classes, so softmax ignores it.
  build(op, inputs, { form }) {
    const changed = addLogPriors(op, inputs, 1);
    return { perSample: weightedCrossEntropy(op, formOf(op, form, changed), changed) };
  },
});
