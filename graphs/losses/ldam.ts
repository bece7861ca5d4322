import { defineLoss, type LossInputs } from '../../src/contract.ts';
import type { Pen, Value } from '../../src/emit/index.ts';
import { formOf, formOption, weightedCrossEntropy } from './pieces.ts';
import { countsOf, perClass } from './priors.ts';

/**
 * The paper normalises the head (features and weights of length 1), so that s · z lies within ±s; a head exported without that is used
 * unchanged. The paper's deferred re-weighting is a schedule: class weights from some epoch on.
 */
export const ldam = defineLoss({
  name: 'ldam',
  cites:
    'Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019; LDAMLoss in their code',
  summary:
    'label-distribution-aware margin: ce of s · (z − m_y at the label), m ∝ n^−¼; uses the head as it is, without normalising it',
  needsFeatures: false,
  needsCounts: true,
  options: {
    maxMargin: {
      kind: 'number',
      default: 0.5,
      expects: 'a number of 0 or more',
      accepts: (margin) => margin >= 0,
      describe: 'margin of the rarest class; the others are in proportion',
    },
    scale: {
      kind: 'number',
      default: 30,
      expects: 'a number above 0',
      accepts: (scale) => scale > 0,
      describe: 's, the factor of the logits; 30 suits logits within ±1, otherwise try 1',
    },
    form: formOption,
  },
  build(op, inputs, { maxMargin, scale, form }) {
    const logits = op.mul(withMargins(op, inputs, maxMargin), scale);
    const changed = { ...inputs, logits };
    return { perSample: weightedCrossEntropy(op, formOf(op, form, changed), changed) };
  },
});

/** z_c − m_c at the label, z_c elsewhere, [N, C]. */
function withMargins(op: Pen, inputs: LossInputs, maxMargin: number): Value {
  const counts = countsOf(inputs);
  const rarest = Math.min(...counts);
  const margins = counts.map((n) => maxMargin * (n / rarest) ** -0.25);
  const isLabel = op.equal(op.unsqueeze(inputs.labels, [1]), op.vector([...counts.keys()]));
  return op.where(isLabel, op.sub(inputs.logits, perClass(op, margins)), inputs.logits);
}
