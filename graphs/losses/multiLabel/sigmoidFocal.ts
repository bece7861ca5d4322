import { defineLoss } from '../../../src/contract.ts';
import { bySide, combined, focalGamma, focalPower, labelReduction, wrongness } from './pieces.ts';

export const sigmoidFocal = defineLoss({
  name: 'sigmoid-focal',
  task: 'multi-label',
  cites:
    'Lin et al., "Focal Loss for Dense Object Detection" (RetinaNet), ICCV 2017; torchvision.ops.sigmoid_focal_loss',
  summary: 'focal loss of every label: α_t · (1 − p_t)^γ · −log p_t, α_t = α where a sample has the label, else 1 − α',
  needsFeatures: false,
  options: {
    focalAlpha: {
      kind: 'number',
      default: 0.25,
      expects: 'a number from 0 to 1, or -1',
      accepts: (alpha) => alpha === -1 || (alpha >= 0 && alpha <= 1),
      describe: 'α, the weight of labels that a sample has, against 1 − α of the others; -1 turns it off',
    },
    gamma: focalGamma(2),
    labelReduction,
  },
  build(op, inputs, { focalAlpha, gamma, labelReduction: how }) {
    const side = wrongness(op, inputs);
    const terms = gamma === 0 ? side.softplus() : op.mul(focalPower(op, side, gamma), side.softplus());
    const balanced = focalAlpha < 0 ? terms : op.mul(terms, bySide(op, inputs, focalAlpha, 1 - focalAlpha));
    return { perSample: combined(op, balanced, inputs, how) };
  },
});
