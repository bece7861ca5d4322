import { defineLoss } from '../../src/contract.ts';
import { formOf, formOption, weighted } from './pieces.ts';

export const poly1 = defineLoss({
  name: 'poly1',
  cites: 'Leng et al., "PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions", ICLR 2022',
  summary: 'Poly-1: w_y · (−log p_y + ε · (1 − p_y)), p = softmax(z); the class weight applies to both terms',
  needsFeatures: false,
  options: {
    polyEpsilon: {
      kind: 'number',
      default: 2,
      expects: 'a number of -1 or more',
      accepts: (epsilon) => epsilon >= -1,
      describe: 'ε, added to cross-entropy’s first coefficient in powers of 1 − p',
    },
    form: formOption,
  },
  build(op, inputs, { polyEpsilon, form: name }) {
    const form = formOf(op, name, inputs);
    const crossEntropy = form.crossEntropy();
    const miss = form.oneMinusExp(crossEntropy);
    return { perSample: weighted(op, op.add(crossEntropy, op.mul(miss, polyEpsilon)), inputs) };
  },
});
