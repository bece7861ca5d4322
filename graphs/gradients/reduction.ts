import type { GradientRule } from '../../src/contract.ts';

/** y = Σ x over axes: dy spreads over what was summed. */
export const ReduceSum: GradientRule = ({ op, input, dy, node }) => {
  void node;
  return [op.expandLike(dy, input(0))];
};
