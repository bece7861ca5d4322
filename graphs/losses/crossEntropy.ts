import { defineLoss } from '../../src/contract.ts';
import { bce } from './multiLabel/bce.ts';
import { formOf, formOption, weightedCrossEntropy } from './pieces.ts';

export const crossEntropy = defineLoss({
  name: 'ce',
  cites: "torch.nn.functional.cross_entropy(logits, labels, weight, reduction='none')",
  summary: 'cross-entropy with class weights: −w_y · log softmax(z)_y',
  multiLabel: bce,
  needsFeatures: false,
  takesSoftLabels: true,
  options: { form: formOption },
  build(op, inputs, options) {
    return { perSample: weightedCrossEntropy(op, formOf(op, options.form, inputs), inputs) };
  },
});
