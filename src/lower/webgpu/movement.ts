import { intAttribute } from '../../emit/index.ts';
import type { NodeForm } from '../adapt.ts';

/** [N, C, H, W] → [N, b·b·C, H/b, W/b]: there is no kernel. */
export const SpaceToDepth: NodeForm = ({ op, node, input }) => {
  const x = input(0);
  const size = intAttribute(node, 'blocksize', 1);
  const [, channels, height, width] = x.shape ?? [];
  if (typeof channels !== 'number' || typeof height !== 'number' || typeof width !== 'number') return undefined;
  const [rows, columns] = [height / size, width / size];
  const apart = op.reshape(x, [-1, channels, rows, size, columns, size]);
  return [op.reshape(op.transpose(apart, [0, 3, 5, 1, 2, 4]), [-1, size * size * channels, rows, columns])];
};
