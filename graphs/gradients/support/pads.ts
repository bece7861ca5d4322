import type { GradientContext } from '../../../src/contract.ts';
import { string, stringAttribute, type Value } from '../../../src/emit/index.ts';
import { axisOf, lengthOf, lengths, range, rankOf } from '../../support/shapes.ts';
import type { AxisMap } from './linearMaps.ts';
import { element } from './places.ts';

/** dy without the margins. A Slice is faster than a negative Pad, which is needed only to restore what Pad cropped. */
export function cropped(context: GradientContext): Value {
  const { op, input, inputs, known, dy } = context;
  const pads = known(1);
  if (!pads?.every((pad) => pad >= 0)) {
    const negated = pads ? op.vector(pads.map((pad) => -pad)) : op.neg(input(1));
    return op.call('Pad', [dy, negated, undefined, ...inputs.slice(3)]);
  }
  const axes = paddedAxes(context);
  const cut = range(axes.length).filter((i) => pads[i] !== 0 || pads[axes.length + i] !== 0);
  if (cut.length === 0) return dy;
  const numbers = (of: (i: number) => number): Value => op.vector(cut.map(of));
  const starts = numbers((i) => pads[i] ?? 0);
  const ends = numbers((i) => -(pads[axes.length + i] ?? 0) || Number.MAX_SAFE_INTEGER);
  return op.call('Slice', [dy, starts, ends, numbers((i) => axes[i] ?? 0)]);
}

function paddedAxes({ node, input, constant }: GradientContext): number[] {
  const x = input(0);
  return (constant(3) ?? range(rankOf(node, x))).map((axis) => axisOf(node, x, axis));
}

/** What Pad does along each axis in a mode that repeats elements. */
export function borderMaps(context: GradientContext): AxisMap[] {
  const { op, node, input, known } = context;
  const [x, pads] = [input(0), input(1)];
  const axes = paddedAxes(context);
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
