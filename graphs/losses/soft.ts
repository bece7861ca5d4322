import type { LossInputs } from '../../src/contract.ts';
import type { Pen, Value } from '../../src/emit/index.ts';
import type { Form } from './form.ts';

/** The same for soft labels t, [N, C], which sum to 1: p − t is the gradient of −Σ_k t_k · log p_k by the logits. */
export function soft(op: Pen, inputs: LossInputs): Form {
  const { logits, labels } = inputs;
  return {
    crossEntropy: () => softCrossEntropy(op, { logits, labels, weights: undefined }),
    gradientNorm: () => op.reduceL1(op.sub(op.softmax(logits, 1), labels), [1]),
    oneMinusExp: (x) => op.sub(1, op.exp(op.neg(x))),
  };
}

/** −Σ_k w_k · t_k · log p_k, [N], weighted as in PyTorch's cross-entropy with probabilities. */
export function softCrossEntropy(
  op: Pen,
  { logits, labels, weights }: Pick<LossInputs, 'logits' | 'labels' | 'weights'>,
): Value {
  const terms = op.mul(op.logSoftmax(logits, 1), labels);
  return op.neg(op.reduceSum(weights === undefined ? terms : op.mul(terms, weights), [1]));
}
