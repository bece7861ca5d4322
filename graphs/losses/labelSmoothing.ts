import { defineLoss } from '../../src/contract.ts';
import { formOf, formOption, weightedCrossEntropy } from './pieces.ts';

export const labelSmoothing = defineLoss({
  name: 'label-smoothing',
  cites: "torch.nn.functional.cross_entropy(logits, labels, weight, reduction='none', label_smoothing=ε)",
  summary: 'label smoothing: (1 − ε) · ce + ε · mean over the classes k of −w_k · log softmax(z)_k',
  needsFeatures: false,
  takesSoftLabels: true,
  options: {
    smoothing: {
      kind: 'number',
      default: 0.1,
      expects: 'a number from 0 to 1',
      accepts: (smoothing) => smoothing >= 0 && smoothing <= 1,
      describe: 'ε, the part of the target that all classes share; 0 gives cross-entropy',
    },
    form: formOption,
  },
  build(op, inputs, { smoothing, form }) {
    const { logits, weights } = inputs;
    const own = weightedCrossEntropy(op, formOf(op, form, inputs), inputs);
    if (smoothing === 0) return { perSample: own };
    const all = op.neg(op.logSoftmax(logits, 1));
    const shared = op.reduceMean(weights === undefined ? all : op.mul(all, weights), [1]);
    return { perSample: op.add(op.mul(own, 1 - smoothing), op.mul(shared, smoothing)) };
  },
});
