import { defineLoss } from '../../src/contract.ts';
import { formOf, formOption, weightedCrossEntropy } from './pieces.ts';
import { addLogPriors, countsOf, perClass, tauOption } from './priors.ts';

export const vectorScaling = defineLoss({
  name: 'vector-scaling',
  cites:
    'Kini et al., "Label-Imbalanced and Group-Sensitive Classification under Overparameterization", NeurIPS 2021; VSLoss in their code',
  summary: 'vector-scaling loss: ce of Δ · z + τ · log π, Δ = (n / max n)^γ, π = n / Σn',
  needsFeatures: false,
  takesSoftLabels: true,
  needsCounts: true,
  options: {
    scalingGamma: {
      kind: 'number',
      default: 0.3,
      expects: 'a number of 0 or more',
      accepts: (gamma) => gamma >= 0,
      describe: 'γ in the factors Δ = (n / max n)^γ of the logits; 0 gives the logit-adjusted loss',
    },
    tau: tauOption,
    form: formOption,
  },
  build(op, inputs, { scalingGamma, tau, form }) {
    const counts = countsOf(inputs);
    const most = Math.max(...counts);
    const factors = counts.map((n) => (n / most) ** scalingGamma);
    const scaled = { ...inputs, logits: op.mul(inputs.logits, perClass(op, factors)) };
    const changed = addLogPriors(op, scaled, tau);
    return { perSample: weightedCrossEntropy(op, formOf(op, form, changed), changed) };
  },
});
