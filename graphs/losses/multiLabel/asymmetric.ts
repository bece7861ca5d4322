import { defineLoss, type FlagOption, type NumberOption } from '../../../src/contract.ts';
import type { Pen, Value } from '../../../src/emit/index.ts';
import { logistic, logOf } from './logistic.ts';
import { bySide, combined, labelReduction } from './pieces.ts';

const detachFocal: FlagOption = {
  kind: 'flag',
  default: false,
  describe: "treat the focal weights as constants in the gradient, as the authors' code does by default",
};

function gammaOf(side: string, start: number): NumberOption {
  return {
    kind: 'number',
    default: start,
    expects: 'a number of 0 or more',
    accepts: (gamma) => gamma >= 0,
    describe: `γ of the focal term of labels that a sample ${side}`,
  };
}

/** Omits the authors' clamp of probabilities at 1e-8, whose gradient is 0 for the most wrong labels. */
export const asymmetric = defineLoss({
  name: 'asymmetric',
  task: 'multi-label',
  cites: 'Ridnik et al., "Asymmetric Loss for Multi-Label Classification", ICCV 2021; AsymmetricLoss in their code',
  summary:
    'asymmetric loss (ASL): (1 − p)^γ₊ · −log p where a sample has the label, else q^γ₋ · −log(1 − q), q = max(p − m, 0)',
  needsFeatures: false,
  options: {
    gammaNegative: gammaOf('has not', 4),
    gammaPositive: gammaOf('has', 1),
    clip: {
      kind: 'number',
      default: 0.05,
      expects: 'a number from 0 to below 1',
      accepts: (clip) => clip >= 0 && clip < 1,
      describe: 'm, the probability up to which a label that a sample lacks costs nothing',
    },
    detachFocal,
    labelReduction,
  },
  build(op, inputs, { gammaNegative, gammaPositive, clip, detachFocal: isDetached, labelReduction: how }) {
    const held = (weight: Value): Value => (isDetached ? op.stopGradient(weight) : weight);
    const own = logistic(op, inputs.logits);
    const missed = op.mul(held(op.exp(op.neg(op.mul(own.softplus(), gammaPositive)))), own.softplusOfMinus());
    const taken =
      clip === 0
        ? op.mul(held(op.exp(op.neg(op.mul(own.softplusOfMinus(), gammaNegative)))), own.softplus())
        : shifted(op, own.sigmoid(), { clip, gamma: gammaNegative, held });
    return { perSample: combined(op, bySide(op, inputs, missed, taken), inputs, how) };
  },
});

/** q^γ · −log(1 − q), q = max(p − m, 0). */
function shifted(
  op: Pen,
  p: Value,
  { clip, gamma, held }: { readonly clip: number; readonly gamma: number; readonly held: (weight: Value) => Value },
): Value {
  const q = op.relu(op.sub(p, clip));
  const loss = op.neg(logOf(op, op.sub(1, q), op.neg(q)));
  return gamma === 0 ? loss : op.mul(held(powerOf(op, q, gamma)), loss);
}

/** q^γ. Below γ = 1 its derivative is infinite at q = 0; the loss that it weights is 0 there, so the gradient here is 0 too. */
function powerOf(op: Pen, q: Value, gamma: number): Value {
  const isPositive = op.greater(q, 0);
  return op.where(isPositive, op.pow(op.where(isPositive, q, 1), gamma), 0);
}
