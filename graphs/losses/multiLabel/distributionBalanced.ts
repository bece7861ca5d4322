import { defineLoss, type LossInputs, type NumberOption } from '../../../src/contract.ts';
import type { Pen, Value } from '../../../src/emit/index.ts';
import { countsOf, perClass } from '../priors.ts';
import { logistic } from './logistic.ts';
import { bySide, combined, focalGamma, focalPower, labelReduction } from './pieces.ts';

const positive = (start: number, describe: string): NumberOption => ({
  kind: 'number',
  default: start,
  expects: 'a number above 0',
  accepts: (value) => value > 0,
  describe,
});
const fromZero = (start: number, describe: string): NumberOption => ({
  kind: 'number',
  default: start,
  expects: 'a number of 0 or more',
  accepts: (value) => value >= 0,
  describe,
});

export const distributionBalanced = defineLoss({
  name: 'distribution-balanced',
  task: 'multi-label',
  cites:
    'Wu et al., "Distribution-Balanced Loss for Multi-Label Classification in Long-Tailed Datasets", ECCV 2020; ResampleLoss in their code',
  summary:
    'distribution-balanced loss: bce weighed by how much a sample over-represents a label, with negatives that tolerate, and a focal term',
  needsFeatures: false,
  needsCounts: true,
  options: {
    mapAlpha: fromZero(0.1, 'α, the least weight of a label that a sample has'),
    mapBeta: positive(10, 'β, how steeply weights rise with a label’s share'),
    mapMu: fromZero(0.2, 'μ, the share at which weights rise'),
    negativeScale: positive(
      2,
      'λ, the scale of the logits of labels that a sample lacks, by which their loss is divided',
    ),
    priorScale: fromZero(0.05, 'κ, the factor of the labels’ prior log-odds that are added to the logits'),
    gamma: focalGamma(2),
    balanceScale: positive(2, 'factor of the focal form; without the focal term (gamma 0) it is not used'),
    labelReduction,
  },
  build(op, inputs, options) {
    const { negativeScale, gamma, balanceScale, labelReduction: how } = options;
    const z = op.add(inputs.logits, priorShift(op, inputs, options.priorScale));
    const scaled = op.mul(z, bySide(op, inputs, 1, negativeScale));
    const side = logistic(op, op.mul(scaled, op.sub(1, op.mul(inputs.labels, 2))));
    const weight = op.mul(rebalancing(op, inputs, options), bySide(op, inputs, 1, 1 / negativeScale));
    const terms = op.mul(side.softplus(), weight);
    const focal = gamma === 0 ? terms : op.mul(op.mul(terms, focalPower(op, side, gamma)), balanceScale);
    return { perSample: combined(op, focal, inputs, how) };
  },
});

/** −κ · log(N / n_k − 1), [C]: κ times the log-odds of a label. A label that all samples have counts half a sample less. */
function priorShift(op: Pen, { counts, samples, ...rest }: LossInputs, scale: number): Value {
  const own = countsOf({ counts, samples, ...rest });
  const all = samples ?? Number.NaN;
  return perClass(
    op,
    own.map((n) => -scale * Math.log(Math.max(all - n, 0.5) / n)),
  );
}

/** α + σ(β · (r − μ)), r_k = (1/n_k) / Σ_{j: y_j = 1} 1/n_j, [N, C]: 1 + α for a sample without labels. */
function rebalancing(
  op: Pen,
  inputs: LossInputs,
  { mapAlpha, mapBeta, mapMu }: { readonly mapAlpha: number; readonly mapBeta: number; readonly mapMu: number },
): Value {
  const rarity = perClass(
    op,
    countsOf(inputs).map((n) => 1 / n),
  );
  const held = op.reduceSum(op.mul(inputs.labels, rarity), [1], true);
  const share = op.div(rarity, op.max(held, 1e-30));
  return op.add(op.sigmoid(op.mul(op.sub(share, mapMu), mapBeta)), mapAlpha);
}
