import type { NumberOption } from '../../src/contract.ts';
import type { Pen, Value } from '../../src/emit/index.ts';
import type { Form } from './form.ts';

export const gammaOption: NumberOption = {
  kind: 'number',
  default: 1,
  expects: 'a number of 0 or more',
  accepts: (gamma) => gamma >= 0,
  describe: 'γ of the focal term (1 − P)^γ; 0 turns it off',
};

/** (1 − P)^γ · c, where P = e^−c comes from the weighted cross-entropy c, [N]. */
export function focalTerm(op: Pen, form: Form, crossEntropy: Value, gamma: number): Value {
  if (gamma === 0) return crossEntropy;
  const miss = form.oneMinusExp(crossEntropy);
  return op.mul(power(op, miss, gamma), crossEntropy);
}

/** Below γ = 1 the derivative of x^γ is infinite at 0: there the power is the constant 0, the limit of the term's gradient. */
function power(op: Pen, x: Value, gamma: number): Value {
  if (gamma === 1) return x;
  if (gamma > 1) return op.pow(x, gamma);
  const isPositive = op.greater(x, 0);
  return op.where(isPositive, op.pow(op.where(isPositive, x, 1), gamma), 0);
}
