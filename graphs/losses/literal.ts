import { int, type Pen, type Value } from '../../src/emit/index.ts';
import type { Form } from './form.ts';

/** The reference's own operations: softmax − one-hot, log-softmax, 1 − exp(−x). */
export function literal(op: Pen, logits: Value, labels: Value): Form {
  return {
    crossEntropy: () => {
      const picked = op.gatherElements(op.logSoftmax(logits, 1), op.unsqueeze(labels, [1]), 1);
      return op.neg(op.squeeze(picked, [1]));
    },
    gradientNorm: () => op.reduceL1(op.sub(op.softmax(logits, 1), oneHot(op, logits, labels)), [1]),
    oneMinusExp: (x) => op.sub(1, op.exp(op.neg(x))),
  };
}

function oneHot(op: Pen, logits: Value, labels: Value): Value {
  const depth = op.gather(op.shapeOf(logits), op.vector([1]));
  const offOn = op.constant({ dtype: 'float32', dims: [2], data: Float32Array.of(0, 1) });
  return op.call('OneHot', [labels, depth, offOn], {
    attributes: { axis: int(-1) },
    dtype: 'float32',
    shape: logits.shape,
  });
}
