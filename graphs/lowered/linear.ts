import type { BlockedRule } from '../../src/contract.ts';
import { floatAttribute } from '../../src/emit/index.ts';
import { isWeightGradient, turnedGradient } from './support/turned.ts';

/** A weight's gradient, from dy's transpose if that is computed anyway. */
export const Gemm: BlockedRule = (context) => {
  const { op, node, input } = context;
  const [dy] = node.inputs;
  const turned = dy && isWeightGradient(node, dy) ? turnedGradient(context, dy) : undefined;
  return turned && [{ plain: op.gemm(turned, context.plain(input(1)), { alpha: floatAttribute(node, 'alpha', 1) }) }];
};
