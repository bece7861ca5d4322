import { intAttribute, intsAttribute } from '../ir/attributes.ts';
import { toNumbers } from '../numbers.ts';
import { elementsOf } from './elements.ts';
import { permutationOf } from './stored.ts';
import { constantAt, countWith, dimOf, fromFront, keep, rankOf } from './visits.ts';
import { notFollowed, type Visit } from './walk.ts';

/** Axes from an attribute, or from an input since opset 13 (18). */
function axesOf(visit: Visit): number[] | undefined {
  const stated = intsAttribute(visit.node, 'axes');
  const fed = constantAt(visit, 1);
  return stated ?? (fed && toNumbers(fed.tensor));
}

export function transpose(visit: Visit): void {
  keep(visit, permutationOf(visit.node, visit.input).indexOf(visit.axis), true);
}

/** [N, C, 1, 1] → [N, C]: the classes must stay an axis of their own. */
export function flatten(visit: Visit): void {
  const { walk, node, input, axis } = visit;
  const at = fromFront(intAttribute(node, 'axis', 1), rankOf(walk, input));
  const [from, to] = axis < at ? [0, at] : [at, rankOf(walk, input)];
  for (let i = from; i < to; i++)
    if (i !== axis && dimOf(walk, input, i) !== 1)
      throw notFollowed(node, 'a layout that mixes classes with other axes');
  keep(visit, axis < at ? 0 : 1, true);
}

export function squeeze(visit: Visit): void {
  const { walk, input, axis } = visit;
  const rank = rankOf(walk, input);
  const axes = axesOf(visit)?.map((each) => fromFront(each, rank));
  const gone = axes ?? Array.from({ length: rank }, (_, i) => i).filter((i) => dimOf(walk, input, i) === 1);
  keep(visit, axis - gone.filter((each) => each < axis).length, true);
}

export function unsqueeze(visit: Visit): void {
  const { walk, node, input } = visit;
  const axes = axesOf(visit);
  if (!axes) throw notFollowed(node, 'axes that are computed');
  const rank = rankOf(walk, input) + axes.length;
  const added = new Set(axes.map((each) => fromFront(each, rank)));
  const kept = Array.from({ length: rank }, (_, i) => i).filter((i) => !added.has(i));
  keep(visit, kept[visit.axis] ?? visit.axis, true);
}

/**
 * A Reshape whose target is a constant, or assembled from constants and sizes: the class axis is the entry with their number, or else the
 * open one.
 */
export function reshape(visit: Visit): void {
  const { walk, node } = visit;
  const { outputs } = walk;
  const target = node.inputs[1];
  const pieces = target && elementsOf(walk.model, walk.graph, target) ? [target] : (target?.producer?.inputs ?? []);
  const isJoined = target?.producer?.opType === 'Concat' || pieces[0] === target;
  if (!target || !isJoined) throw notFollowed(node, 'a shape that is computed');
  const reader = pieces[0] === target ? node : target.producer;
  const dims: (number | undefined)[] = [];
  for (const piece of pieces) {
    const tensor = piece && elementsOf(walk.model, walk.graph, piece);
    const start = dims.length;
    const numbers = tensor ? toNumbers(tensor) : Array<undefined>(sizeOf(piece)).fill(undefined);
    dims.push(...numbers);
    const [place, ...others] = numbers.flatMap((dim, i) => (dim === outputs && start + i > 0 ? [i] : []));
    if (place === undefined || !piece || !tensor || !reader) continue;
    if (others.length > 0) throw notFollowed(node, `a shape with ${outputs} more than once`);
    countWith(walk, reader, { value: piece, tensor }, [place]);
  }
  keep(visit, placeIn(visit, dims), true);
}

function sizeOf(value: { readonly shape?: readonly unknown[] | undefined } | undefined): number {
  const [size] = value?.shape ?? [];
  return typeof size === 'number' ? size : 1;
}

/** The class dimension of a target. */
function placeIn({ walk, node, input, axis }: Visit, dims: readonly (number | undefined)[]): number {
  const counted = dims.findIndex((dim, i) => i > 0 && dim === walk.outputs);
  if (counted >= 0) return counted;
  const [output] = node.outputs;
  const shown = output?.shape?.findIndex((dim, i) => i > 0 && dim === walk.outputs) ?? -1;
  if (shown >= 0) return shown;
  // Open dimensions: 0 copies the input's, and −1 takes the rest.
  if (dims[axis] === 0) return axis;
  const rest = dims.indexOf(-1);
  const isLeft = rest > 0 && dims.every((dim, i) => i === 0 || i === rest || dim === 1);
  const onesElse = (input.shape ?? []).every((dim, i) => i === 0 || i === axis || dim === 1);
  if (isLeft && onesElse) return rest;
  throw notFollowed(node, 'a shape in which the place of the classes cannot be told');
}

/** An Expand's target may state the number of classes. */
export function expand(visit: Visit): void {
  const { walk, node, input, axis } = visit;
  const target = constantAt(visit, 1);
  if (!target) throw notFollowed(node, 'a shape that is computed');
  const dims = toNumbers(target.tensor);
  const place = dims.length - (rankOf(walk, input) - axis);
  if (dims[place] === walk.outputs) countWith(walk, node, target, [place]);
  keep(visit, place);
}

/** A Slice that takes all classes. */
export function slice(visit: Visit): void {
  const { walk, node, input, axis } = visit;
  const [starts, ends, axes, steps] = [1, 2, 3, 4].map((place) => constantAt(visit, place));
  if (node.inputs.length < 3 || !starts || !ends || (node.inputs[3] && !axes))
    throw notFollowed(node, 'a slice whose bounds are computed');
  const rank = rankOf(walk, input);
  const cut = axes
    ? toNumbers(axes.tensor).map((each) => fromFront(each, rank))
    : toNumbers(starts.tensor).map((_, i) => i);
  const place = cut.indexOf(axis);
  if (place >= 0) {
    const end = toNumbers(ends.tensor)[place] ?? 0;
    const isWhole = toNumbers(starts.tensor)[place] === 0 && end >= walk.outputs;
    if (!isWhole || (steps && toNumbers(steps.tensor)[place] !== 1)) throw notFollowed(node, 'a slice of some classes');
    if (end === walk.outputs) countWith(walk, node, ends, [place]);
  }
  keep(visit, axis);
}

/** Rows are selected, such as one token: the classes stay. */
export function gather(visit: Visit): void {
  const { walk, node, input, axis } = visit;
  const at = fromFront(intAttribute(node, 'axis', 0), rankOf(walk, input));
  const indices = node.inputs[1];
  if (at === axis || !indices || node.inputs[0] !== input) throw notFollowed(node, 'a choice of some classes');
  walk.picks.push(node);
  keep(visit, at < axis ? axis + rankOf(walk, indices) - 1 : axis, true);
}

/** Means, sums and maxima over axes, or over the classes themselves. */
export function reduce(visit: Visit): void {
  const { walk, node, input, axis } = visit;
  const rank = rankOf(walk, input);
  const axes = axesOf(visit)?.map((each) => fromFront(each, rank));
  if (node.inputs[1] && !axes) throw notFollowed(node, 'axes that are computed');
  if (axes === undefined || axes.includes(axis)) return;
  const isKept = intAttribute(node, 'keepdims', 1) === 1;
  keep(visit, isKept ? axis : axis - axes.filter((each) => each < axis).length, node.opType === 'ReduceMean');
}
