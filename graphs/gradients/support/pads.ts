import type { GradientContext } from '../../../src/contract.ts';
import { string, stringAttribute, type Value } from '../../../src/emit/index.ts';
import type { AxisMap } from './linearMaps.ts';
import { element } from './places.ts';
import { axisOf, lengthOf, lengths, range, rankOf } from './shapes.ts';

/** The pads with which Pad undoes itself: it crops where they are negative. */
export function negated({ op, input, known }: GradientContext): Value {
  const pads = known(1);
  return pads ? op.vector(pads.map((pad) => -pad)) : op.neg(input(1));
}

/** What Pad does along each axis in a mode that repeats elements. */
export function borderMaps({ op, node, input, known, constant }: GradientContext): AxisMap[] {
  const [x, pads] = [input(0), input(1)];
  const axes = (constant(3) ?? range(rankOf(node, x))).map((axis) => axisOf(node, x, axis));
  const attributes = { mode: string(stringAttribute(node, 'mode', 'constant')) };
  return axes.flatMap((axis, i) => {
    const before = element(op, pads, known(1), i);
    const after = element(op, pads, known(1), axes.length + i);
    if (before === 0 && after === 0) return [];
    const apply = (rows: Value): Value => {
      return op.call('Pad', [rows, lengths(op, [0, before, 0, after])], { attributes });
    };
    return [{ axis, length: lengthOf(op, x, axis), apply, selects: true }];
  });
}
