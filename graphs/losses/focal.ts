import { defineLoss } from '../../src/contract.ts';
import { focalTerm, gammaOption } from './focalTerm.ts';
import { sigmoidFocal } from './multiLabel/sigmoidFocal.ts';
import { formOf, formOption, weightedCrossEntropy } from './pieces.ts';

export const focal = defineLoss({
  name: 'focal',
  cites:
    'Lin et al., ICCV 2017, as FocalLoss in the code of Park et al., ICCV 2021: scaled by 10, P of the weighted cross-entropy',
  summary: 'focal loss: scale · (1 − P)^γ · c, c = −w_y · log softmax(z)_y, P = e^−c',
  multiLabel: sigmoidFocal,
  needsFeatures: false,
  options: {
    gamma: gammaOption,
    focalScale: {
      kind: 'number',
      default: 10,
      expects: 'a number above 0',
      accepts: (scale) => scale > 0,
      describe: 'factor of the focal loss; 1 gives the loss of Lin et al.',
    },
    form: formOption,
  },
  build(op, inputs, { gamma, focalScale, form: name }) {
    const form = formOf(op, name, inputs);
    const loss = focalTerm(op, form, weightedCrossEntropy(op, form, inputs), gamma);
    return { perSample: focalScale === 1 ? loss : op.mul(loss, focalScale) };
  },
});
