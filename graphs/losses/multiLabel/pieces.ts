import type { ChoiceOption, LossInputs, NumberOption } from '../../../src/contract.ts';
import type { Pen, Value } from '../../../src/emit/index.ts';
import { type Logistic, logistic } from './logistic.ts';

export const labelReduction: ChoiceOption<'mean' | 'sum'> = {
  kind: 'choice',
  default: 'mean',
  choices: ['mean', 'sum'],
  describe: "how a sample's labels are combined: mean as PyTorch's losses do; sum as the code of ASL's authors does",
};

/** γ of (1 − p_t)^γ, as in RetinaNet. */
export function focalGamma(start: number): NumberOption {
  return {
    kind: 'number',
    default: start,
    expects: 'a number of 0 or more',
    accepts: (gamma) => gamma >= 0,
    describe: 'γ of the focal term (1 − p_t)^γ; 0 turns it off',
  };
}

/** How far each score is on the wrong side, x = (1 − 2y) · z, [N, C]: σ(x) = |σ(z) − y| = 1 − p_t, and log(1 + e^x) = −log p_t. */
export function wrongness(op: Pen, { logits, labels }: LossInputs): Logistic {
  return logistic(op, op.mul(logits, op.sub(1, op.mul(labels, 2))));
}

/** |σ(z) − y|, [N, C]: for labels 0 and 1 it is 1 − p_t, with all its digits. */
export function missesOf(op: Pen, inputs: LossInputs): Value {
  if (!inputs.areSoft) return wrongness(op, inputs).sigmoid();
  return op.abs(op.sub(logistic(op, inputs.logits).sigmoid(), inputs.labels));
}

/** (1 − p_t)^γ, [N, C]: as e^(−γ · −log(1 − p_t)), whose gradient is finite for every γ. */
export function focalPower(op: Pen, side: Logistic, gamma: Value | number): Value {
  return op.exp(op.neg(op.mul(side.softplusOfMinus(), gamma)));
}

/** `positive` for labels that a sample has, `negative` for the others, [N, C]. */
export function bySide(op: Pen, { labels }: LossInputs, positive: Value | number, negative: Value | number): Value {
  return op.add(op.mul(labels, positive), op.mul(op.sub(1, labels), negative));
}

/** Terms of each label, [N, C], times the label's weight and, if the sample has the label, its `pos_weight`. */
export function weightedTerms(op: Pen, terms: Value, inputs: LossInputs): Value {
  const { weights, positiveWeights } = inputs;
  const own = positiveWeights === undefined ? terms : op.mul(terms, bySide(op, inputs, positiveWeights, 1));
  return weights === undefined ? own : op.mul(own, weights);
}

/** Weighted terms [N, C] as one number per sample, [N]. */
export function combined(op: Pen, terms: Value, inputs: LossInputs, how: 'mean' | 'sum'): Value {
  const weighted = weightedTerms(op, terms, inputs);
  return how === 'sum' ? op.reduceSum(weighted, [1]) : op.reduceMean(weighted, [1]);
}

/** −w_k · (p_k · y_k · log σ(z_k) + (1 − y_k) · log(1 − σ(z_k))) of all labels as one number per sample, [N]. */
export function binaryCrossEntropy(op: Pen, inputs: LossInputs, how: 'mean' | 'sum'): Value {
  if (!inputs.areSoft) return combined(op, wrongness(op, inputs).softplus(), inputs, how);
  const { positiveWeights, ...rest } = inputs;
  const own = logistic(op, inputs.logits);
  const missed = own.softplusOfMinus();
  const weighed = positiveWeights === undefined ? missed : op.mul(missed, positiveWeights);
  return combined(op, bySide(op, rest, weighed, own.softplus()), rest, how);
}
