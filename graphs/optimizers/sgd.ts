import { defineOptimizer, type UpdateContext } from '../../src/contract.ts';
import type { Value } from '../../src/emit/index.ts';
import { flag, fraction, weightDecay } from './options.ts';

export const sgd = defineOptimizer({
  name: 'sgd',
  cites: 'torch.optim.SGD',
  summary: 'stochastic gradient descent with momentum, Nesterov momentum, dampening and L2 weight decay',
  options: {
    momentum: fraction(0.9, 'share of the previous update that is kept'),
    dampening: fraction(0, 'the share of the gradient that does not enter the momentum'),
    nesterov: flag('look ahead: add the momentum to the gradient again'),
    weightDecay: weightDecay(0),
  },
  slots: ({ momentum, dampening }) => {
    if (momentum === 0) return [];
    const buffer = { name: 'momentum', kind: 'param' } as const;
    return dampening === 0 ? [buffer] : [buffer, { name: 'step', kind: 'scalar' }];
  },
  update(context, { momentum, dampening, nesterov, weightDecay: decay }) {
    const { op, param, lr, slot } = context;
    const grad = decay === 0 ? context.grad : op.add(context.grad, op.mul(param, decay));
    if (momentum === 0) return { param: op.sub(param, op.mul(grad, lr)), slots: {} };
    const kept = dampening === 0 ? grad : op.mul(grad, undampedAtFirst(context, dampening));
    const buffer = op.add(op.mul(slot('momentum'), momentum), kept);
    const direction = nesterov ? op.add(grad, op.mul(buffer, momentum)) : buffer;
    const step = dampening === 0 ? {} : { step: op.add(slot('step'), 1) };
    return { param: op.sub(param, op.mul(direction, lr)), slots: { momentum: buffer, ...step } };
  },
});

/** PyTorch's first momentum is the gradient itself, dampening comes in from the second step on. */
function undampedAtFirst({ op, slot }: UpdateContext, dampening: number): Value {
  return op.where(op.equal(slot('step'), 0), 1, op.scalar(1 - dampening, 'float32'));
}
