import type { Expansion } from '../../src/contract.ts';
import { stringAttribute } from '../../src/emit/index.ts';

/** 1 − βᵗ for a float32 scalar t, in float64 as in PyTorch: float32 would lose five digits at the first steps. */
export const OneMinusPower: Expansion = ({ op, node, input }) => {
  const beta = Number(stringAttribute(node, 'base', '0'));
  const power = op.pow(op.scalar(beta, 'float64'), op.cast(input(0), 'float64'));
  return [op.cast(op.sub(op.scalar(1, 'float64'), power), 'float32')];
};
