import type { GradientContext } from '../../../src/contract.ts';
import type { Pen, Value } from '../../../src/emit/index.ts';
import { minus } from '../../support/arithmetic.ts';
import { axisOf, indicesTo, type Length, lengthOf, lengths, outputOf, range, rankOf } from '../../support/shapes.ts';
import { type AxisMap, isSmallSelection, transposedMaps } from './linearMaps.ts';
import { clamped, element, type Margin, padded, placedAtRunTime } from './places.ts';

/** One axis of a Slice. */
interface Range {
  readonly axis: number;
  readonly length: Length;
  readonly start: Length;
  readonly end: Length;
  readonly step: Length;
}

/** A step of 1 selects a block, which is surrounded by zeros; other steps select single rows, which are put at their places. */
export function sliceGradient(context: GradientContext): Value[] {
  const { op, node, input } = context;
  const rank = rankOf(node, input(0));
  const ranges = rangesOf(context);
  if (!ranges) return [byPlaces(context)];
  const strided = ranges.filter(({ step }) => step !== 1);
  const isMap = ({ axis, length }: Range): boolean =>
    isSmallSelection(length, lengthOf(op, outputOf(context, 0), axis));
  let dx = transposedMaps(
    context,
    strided.filter(isMap).map((range) => mapOf(context, range)),
  );
  for (const range of strided) if (!isMap(range)) dx = spread(context, dx, rank, range);
  const blocks = ranges.filter(({ step }) => step === 1);
  return [
    padded(
      op,
      dx,
      rank,
      blocks.map((range) => marginOf(context, range)),
    ),
  ];
}

/** For unknown axes: the indices of all elements are sliced the same way, and dy is put there. */
function byPlaces({ op, input, inputs, dy }: GradientContext): Value {
  const x = input(0);
  const count = op.call('Size', [x], { dtype: 'int64', shape: [] });
  const places = op.call('Range', [op.scalar(0, 'int64'), count, op.scalar(1, 'int64')], { shape: [undefined] });
  const taken = op.call('Slice', [op.reshapeLike(places, x), ...inputs.slice(1)]);
  const zeros = op.expand(op.scalar(0, x.dtype ?? 'float32'), op.unsqueeze(count, [0]));
  const flat = (value: Value): Value => op.reshape(value, [-1]);
  return op.reshapeLike(op.scatterElements(zeros, flat(taken), flat(dy), 0), x);
}

/** `undefined` if the sliced axes are unknown. */
function rangesOf({ op, node, input, inputs, known }: GradientContext): Range[] | undefined {
  const [x, starts, ends, steps] = [input(0), input(1), input(2), inputs[4]];
  const count = known(1)?.length ?? starts.shape?.[0];
  const axes = inputs[3] ? known(3) : typeof count === 'number' ? range(count) : undefined;
  if (!axes) return undefined;
  return axes.map((given, i) => {
    const axis = axisOf(node, x, given);
    return {
      axis,
      length: lengthOf(op, x, axis),
      start: element(op, starts, known(1), i),
      end: element(op, ends, known(2), i),
      step: steps ? element(op, steps, known(4), i) : 1,
    };
  });
}

function marginOf(context: GradientContext, { axis, length, start }: Range): Margin {
  const { op } = context;
  const before = clamped(op, start, length);
  return { axis, before, after: minus(op, minus(op, length, before), lengthOf(op, outputOf(context, 0), axis)) };
}

function mapOf({ op }: GradientContext, { axis, length, ...range }: Range): AxisMap {
  return { axis, length, apply: (rows) => op.call('Slice', [rows, ...bounds(op, range, 1)]), selects: true };
}

function spread({ op }: GradientContext, dx: Value, rank: number, { axis, length, ...range }: Range): Value {
  const indices = op.call('Slice', [indicesTo(op, length), ...bounds(op, range, 0)], { shape: [undefined] });
  return placedAtRunTime(op, dx, rank, axis, indices, lengths(op, [length]));
}

/** Starts, ends, axes and steps. Exporters write INT64_MAX and INT64_MIN for "to the end", which a number cannot hold exactly. */
function bounds(op: Pen, { start, end, step }: Pick<Range, 'start' | 'end' | 'step'>, axis: number): Value[] {
  const limit = Number.MAX_SAFE_INTEGER;
  return [start, end, axis, step].map((bound) =>
    typeof bound === 'number' ? op.vector([Math.min(Math.max(bound, -limit), limit)]) : bound,
  );
}
