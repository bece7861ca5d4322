import type { FlagOption, LossInputs, NumberOption } from '../../src/contract.ts';
import type { Pen, Value } from '../../src/emit/index.ts';
import type { Form } from './form.ts';

const alpha: NumberOption = {
  kind: 'number',
  default: 1000,
  expects: 'a number above 0',
  accepts: (value) => value > 0,
  describe: 'α, the numerator of the influence factor; it scales the loss',
};

const epsilon: NumberOption = {
  kind: 'number',
  default: 1e-3,
  expects: 'a number of 0 or more',
  accepts: (value) => value >= 0,
  describe: 'ε in the denominator; α/ε bounds the factor of confident samples, and with 0 there is no bound',
};

const detachFactor: FlagOption = {
  kind: 'flag',
  default: false,
  describe:
    'treat the factor as a constant in the gradient: values stay the same, but every sample pushes its logits with the same ' +
    'strength α·w/H, however confident it is, and larger features no longer lower the loss (the reference does not detach)',
};

export const influenceOptions: {
  readonly alpha: NumberOption;
  readonly epsilon: NumberOption;
  readonly detachFactor: FlagOption;
} = { alpha, epsilon, detachFactor };

export interface InfluenceOptions {
  readonly alpha: number;
  readonly epsilon: number;
  readonly detachFactor: boolean;
}

/** α / (g·H + ε), [N]: the inverse of a sample's influence on the boundary. Park et al. 2021, equation 5. */
export function influenceFactor(
  op: Pen,
  form: Pick<Form, 'gradientNorm'>,
  { featureNorm }: LossInputs,
  options: InfluenceOptions,
): Value {
  if (featureNorm === undefined) throw new Error('a loss with needsFeatures was built without the feature norm');
  const influence = op.mul(form.gradientNorm(), featureNorm);
  const factor = op.div(options.alpha, op.add(influence, options.epsilon));
  return options.detachFactor ? op.stopGradient(factor) : factor;
}
