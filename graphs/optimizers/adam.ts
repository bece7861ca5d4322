import { COMPOSITE_DOMAIN, defineOptimizer, type Slot, type Update, type UpdateContext } from '../../src/contract.ts';
import { type Pen, string, type Value } from '../../src/emit/index.ts';
import { adamEpsilon, fraction, weightDecay } from './options.ts';

const moments = {
  beta1: fraction(0.9, 'decay of the mean of gradients'),
  beta2: fraction(0.999, 'decay of the mean of squared gradients'),
  adamEpsilon,
};

const slots: readonly Slot[] = [
  { name: 'exp_avg', kind: 'param' },
  { name: 'exp_avg_sq', kind: 'param' },
  { name: 'step', kind: 'scalar' },
];

export const adam = defineOptimizer({
  name: 'adam',
  cites: 'torch.optim.Adam; Kingma & Ba 2015, algorithm 1',
  summary: 'adaptive moments; weight decay is L2, added to the gradient',
  options: { ...moments, weightDecay: weightDecay(0) },
  slots: () => slots,
  update(context, options) {
    const { op, param } = context;
    const decay = options.weightDecay;
    const grad = decay === 0 ? context.grad : op.add(context.grad, op.mul(param, decay));
    return adaptive({ ...context, grad }, options);
  },
});

export const adamw = defineOptimizer({
  name: 'adamw',
  cites: 'torch.optim.AdamW; Loshchilov & Hutter 2019, algorithm 2',
  summary: 'adaptive moments; weight decay is decoupled from the gradient',
  options: { ...moments, weightDecay: weightDecay(0.01) },
  slots: () => slots,
  update(context, options) {
    const { op, lr } = context;
    const decay = options.weightDecay;
    const param = decay === 0 ? context.param : op.mul(context.param, op.sub(1, op.mul(lr, decay)));
    return adaptive({ ...context, param }, options);
  },
});

interface Moments {
  readonly beta1: number;
  readonly beta2: number;
  readonly adamEpsilon: number;
}

/** param − lr/(1−β₁ᵗ) · m / (√v / √(1−β₂ᵗ) + ε), in PyTorch's order of operations. */
function adaptive(
  { op, param, grad, lr, slot }: UpdateContext,
  { beta1, beta2, adamEpsilon: epsilon }: Moments,
): Update {
  const step = op.add(slot('step'), 1);
  const mean = op.add(slot('exp_avg'), op.mul(op.sub(grad, slot('exp_avg')), 1 - beta1));
  const square = op.add(op.mul(slot('exp_avg_sq'), beta2), op.mul(op.mul(grad, grad), 1 - beta2));
  const rate = op.div(lr, correction(op, beta1, step));
  const root = op.div(op.sqrt(square), op.sqrt(correction(op, beta2, step)));
  const next = op.sub(param, op.mul(rate, op.div(mean, op.add(root, epsilon))));
  return { param: next, slots: { exp_avg: mean, exp_avg_sq: square, step } };
}

/** 1 − βᵗ: to float32's last digits, which needs more than float32. */
function correction(op: Pen, beta: number, step: Value): Value {
  const attributes = { base: string(String(beta)) };
  return op.call('OneMinusPower', [step], { domain: COMPOSITE_DOMAIN, attributes, dtype: 'float32', shape: [] });
}
