import { intAttribute } from '../../emit/index.ts';
import type { NodeForm } from '../adapt.ts';

/** x − max − log Σ e^(x − max): there is no kernel. Below opset 13 all axes from `axis` on are one. */
export const LogSoftmax: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  const since13 = op.opset >= 13;
  const axis = intAttribute(node, 'axis', since13 ? -1 : 1);
  const rank = x.shape?.length;
  if (!since13 && rank === undefined) return undefined;
  const axes = since13 ? [axis] : range(rank ?? 0).slice(axis);
  const shifted = op.sub(x, op.reduceMax(x, axes, true));
  return [op.sub(shifted, op.log(op.reduceSum(op.exp(shifted), axes, true)))];
};

function range(length: number): number[] {
  return Array.from({ length }, (_, i) => i);
}
