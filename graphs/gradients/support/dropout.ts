import type { GradientContext, GradientRule } from '../../../src/contract.ts';
import type { Value } from '../../../src/emit/index.ts';
import { describeNode, LossgraftError } from '../../../src/emit/index.ts';
import { mask } from './masks.ts';

/** The identity, unless training_mode is on: then y = x · mask / (1 − ratio), where the mask is the node's second output. */
export const dropoutGradient: GradientRule = (context) => {
  const { op, constant, dy } = context;
  const [isTraining = 0] = constant(2) ?? [];
  if (!isTraining) return [dy];
  const [ratio = 0.5] = constant(1) ?? [];
  if (ratio === 0) return [dy];
  if (ratio === 1) return [op.zerosLike(dy)];
  return [op.mul(dy, op.mul(mask(op, maskOf(context), dy), 1 / (1 - ratio)))];
};

function maskOf({ node, outputs }: GradientContext): Value {
  const [, kept] = outputs;
  if (kept) return kept;
  throw new LossgraftError({
    code: 'dropout-mask',
    where: describeNode(node),
    expected: 'a mask output, since training_mode is on',
    found: 'none',
    hint: 'Turn dropout off, or let lossgraft draw its own mask (dropout: train)',
  });
}
