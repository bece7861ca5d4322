import { defineLoss } from '../../../src/contract.ts';
import type { Pen, Value } from '../../../src/emit/index.ts';

/** Finite, so that it minus itself is 0. */
const LOWEST = -3.4e38;

export const zlpr = defineLoss({
  name: 'zlpr',
  task: 'multi-label',
  cites: 'Su et al., "ZLPR: A Novel Loss for Multi-label Classification", arXiv 2208.02955, equation 6',
  summary:
    'zero-bounded log-sum-exp and pairwise rank: log(1 + Σ e^−z_k over the labels of a sample) + log(1 + Σ e^z_k over the others)',
  needsFeatures: false,
  takesWeights: false,
  options: {},
  build(op, { logits, labels }) {
    const isOwn = op.greater(labels, 0.5);
    const missed = logOnePlusSum(op, op.where(isOwn, op.neg(logits), LOWEST));
    const taken = logOnePlusSum(op, op.where(isOwn, LOWEST, logits));
    return { perSample: op.add(missed, taken) };
  },
});

/** log(1 + Σ_k e^x_k), [N]: the largest, or 0, is subtracted first, and a sum much smaller than 1 keeps its digits. */
function logOnePlusSum(op: Pen, x: Value): Value {
  const highest = op.stopGradient(op.relu(op.reduceMax(x, [1], true)));
  const sum = op.reduceSum(op.exp(op.sub(x, highest)), [1]);
  const top = op.squeeze(highest, [1]);
  const one = op.exp(op.neg(top));
  const total = op.add(sum, one);
  const lost = op.stopGradient(op.div(op.sub(sum, op.sub(total, one)), total));
  return op.add(op.add(top, op.log(total)), lost);
}
