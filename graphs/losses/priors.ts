import type { LossInputs, NumberOption } from '../../src/contract.ts';
import type { Pen, Value } from '../../src/emit/index.ts';

export const tauOption: NumberOption = {
  kind: 'number',
  default: 1,
  expects: 'a number of 0 or more',
  accepts: (tau) => tau >= 0,
  describe: 'τ, the factor of the log class frequencies; 0 turns the adjustment off',
};

export function countsOf({ counts }: LossInputs): readonly number[] {
  if (counts === undefined) throw new Error('a loss with needsCounts was built without counts');
  return counts;
}

/** One float32 per class, [C]. */
export function perClass(op: Pen, values: readonly number[]): Value {
  return op.constant({ dtype: 'float32', dims: [values.length], data: Float32Array.from(values) });
}

/** z_c + τ · log π_c, π_c = n_c / Σn: with these logits cross-entropy no longer favours frequent classes. */
export function addLogPriors(op: Pen, inputs: LossInputs, tau: number): LossInputs {
  const counts = countsOf(inputs);
  const total = counts.reduce((sum, n) => sum + n, 0);
  const shifts = counts.map((n) => tau * Math.log(n / total));
  return { ...inputs, logits: op.add(inputs.logits, perClass(op, shifts)) };
}
