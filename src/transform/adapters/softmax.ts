import { int, intAttribute } from '../../ir/attributes.ts';
import { type Adapter, withAttributes } from './adapter.ts';

/**
 * 13: `axis` is the one normalised dimension, −1 by default. Before, it split the dimensions into rows and columns, 1 by default, and a
 * whole row was normalised. The two agree on the last dimension; otherwise the rows are written out.
 */
export const coercedAxis: Adapter = ({ op, node, form }) => {
  const [x] = form.inputs;
  const axis = intAttribute(node, 'axis', 1);
  const rank = x?.shape?.length;
  const isLast = axis === -1 || (rank !== undefined && (axis < 0 ? axis + rank : axis) === rank - 1);
  if (isLast || x === undefined) return withAttributes(form, ['axis'], new Map([['axis', int(-1)]]));
  const rows = op.call('Flatten', [x], { attributes: { axis: int(axis) }, shape: [undefined, undefined] });
  const normalized = op.call(form.opType, [rows], { attributes: { axis: int(-1) }, shape: rows.shape });
  return { opType: 'Reshape', inputs: [normalized, op.shapeOf(x)], outputs: form.outputs, attributes: new Map() };
};
