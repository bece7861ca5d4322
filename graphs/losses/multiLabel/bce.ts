import { defineLoss } from '../../../src/contract.ts';
import { binaryCrossEntropy, labelReduction } from './pieces.ts';

export const bce = defineLoss({
  name: 'bce',
  task: 'multi-label',
  cites: "torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, weight, pos_weight, reduction='none')",
  summary: 'binary cross-entropy of every label: −w_k · (p_k · y_k · log σ(z_k) + (1 − y_k) · log(1 − σ(z_k)))',
  needsFeatures: false,
  takesSoftLabels: true,
  options: { labelReduction },
  build(op, inputs, options) {
    return { perSample: binaryCrossEntropy(op, inputs, options.labelReduction) };
  },
});
