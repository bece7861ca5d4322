import { LossgraftError } from '../errors.ts';
import { intAttribute } from '../ir/attributes.ts';
import { isView } from '../ir/edit.ts';
import type { Graph, InitializerSource, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { readTensor } from '../onnx/index.ts';
import { dequantise, integersAs, integersOf, type Quantisation, quantise, rangeOf } from '../quantisation.ts';
import type { Tensor } from '../tensor.ts';
import { clipRange, isZeros } from '../transform/plainPairs.ts';
import { isDequantise, isQuantise } from '../transform/quantised.ts';
import { elementsOf, type Holder, type Stored, type StoredRounding } from './elements.ts';
import { type Slice, withSlices } from './rows.ts';

/** A quantised constant with its numbers; `undefined` if its scales are not one for the tensor, or one for each class. */
export function roundedConstant(
  holder: Holder,
  axis: number,
  rounding: StoredRounding,
): Omit<Stored, 'passed'> | undefined {
  const { integers, how } = rounding;
  const at = how.axis < 0 ? how.axis + integers.dims.length : how.axis;
  const isOne = how.scale.data.length === 1;
  if (rangeOf(integers.dtype) === undefined || how.block !== 0 || !(isOne || at === axis)) return undefined;
  return { ...holder, tensor: dequantise(integers, how), axis, rounding };
}

/** What a DequantizeLinear gives: integers of the file, or floats that a QuantizeLinear before it rounds. */
export function throughRounding(
  model: Model,
  graph: Graph,
  node: Node,
  axis: number,
): Omit<Stored, 'passed'> | undefined {
  const [value, scale, zero] = isDequantise(node) ? node.inputs : [];
  if (!value || !scale) return undefined;
  const read = (source: InitializerSource): Tensor =>
    isView(source) ? readTensor(model.proto.source, source, { modelDir: model.dir }) : source;
  const [scales, zeros] = [scale, zero].map((each) => each && elementsOf(model, graph, each));
  const isFilled = zero !== undefined && zeros === undefined && isZeros(zero, read);
  if (!scales || (zero && !zeros && !isFilled)) return undefined;
  const settings = { axis: intAttribute(node, 'axis', 1), block: intAttribute(node, 'block_size', 0) };
  const { producer } = value;
  const before = producer && isQuantise(producer) ? producer : undefined;
  const held = before ? masterOf(graph, before) : heldBy(model, graph, value, node);
  if (!held) return undefined;
  const tensor = readOf(model, graph, held.value);
  const at = (own: Value): Holder => ({ value: own, reader: before ?? node, also: node });
  const places = { scale: at(scale), zero: zero && at(zero) };
  if (before) {
    const how = { scale: scales, zeroPoint: zeros, ...settings };
    const integers = held.reader === before ? quantise(tensor, zeros?.dtype ?? 'uint8', how) : undefined;
    return { ...held, tensor, axis, rounding: integers && { integers, how, ...places, isFloat: true } };
  }
  const range = clipRange(producer, tensor.dtype, (bound) => elementsOf(model, graph, bound));
  const zeroPoint = isFilled ? integersAs(undefined, tensor.dtype, scales.dims) : zeros;
  const how = { scale: scales, zeroPoint, ...settings, range };
  return roundedConstant(held, axis, { integers: tensor, how, ...places });
}

/** Integers that a DequantizeLinear reads, or a Clip before it. */
function heldBy(model: Model, graph: Graph, value: Value, node: Node): Holder | undefined {
  if (elementsOf(model, graph, value)) return { value, reader: node };
  const clip = value.producer?.opType === 'Clip' && value.uses.size === 1 ? value.producer : undefined;
  const [inner] = clip?.inputs ?? [];
  return clip && inner && elementsOf(model, graph, inner) ? { value: inner, reader: clip } : undefined;
}

function readOf(model: Model, graph: Graph, value: Value): Tensor {
  const tensor = elementsOf(model, graph, value);
  if (tensor === undefined) throw new Error(`${value.name}: no constant`);
  return tensor;
}

/** The float weight before a QuantizeLinear, and before what cuts it to a range of few bits. */
function masterOf(graph: Graph, node: Node): Holder | undefined {
  const [value] = node.inputs;
  if (!value) return undefined;
  if (graph.initializers.has(value)) return { value, reader: node };
  const { producer } = value;
  return producer && ['Max', 'Min'].includes(producer.opType) ? masterOf(graph, producer) : undefined;
}

/** The tensors of a quantised constant with other classes. */
export interface RoundedSlices {
  readonly integers: Tensor;
  readonly scale: Tensor;
  readonly zeroPoint: Tensor | undefined;
  /** Whether rows that stay were rounded anew, since one scale stands for all and new rows need a larger one. */
  readonly isRescaled: boolean;
}

/**
 * Integers of the rows of other classes. A row that stays keeps its own, and its scale. A new one gets the smallest scale by which its
 * numbers lie within the span of the old integers, as tools leave bits free for some machines. Where one scale stands for the whole tensor,
 * it grows if new rows need that.
 *
 * @param scales those that the operator derives from others, in place of own ones.
 */
export function roundedSlices(
  { tensor, axis, rounding: { integers, how } }: Stored & { readonly rounding: StoredRounding },
  slices: readonly Slice[],
  scales?: Tensor,
): RoundedSlices {
  const { dtype } = integers;
  const old = Array.from(how.scale.data, Number);
  const isOne = old.length === 1;
  const zeroPoint =
    how.zeroPoint && how.zeroPoint.data.length > 1
      ? withSlices(
          how.zeroPoint,
          0,
          slices.map((slice) => (typeof slice === 'number' ? slice : 0)),
        )
      : how.zeroPoint;
  const span = spanOf(integers, how);
  for (const slice of slices) if (typeof slice !== 'number') refuseOneSided(slice, span);
  const wanted = slices.map((slice) =>
    typeof slice === 'number' ? (old[isOne ? 0 : slice] ?? 1) : stepFor(slice, span),
  );
  const usual = old.reduce((sum, each) => sum + each, 0) / old.length;
  const own = isOne ? [Math.max(...wanted)] : wanted;
  const data = Float32Array.from(own, (step) => step || usual);
  const scale: Tensor = scales ?? { dtype: 'float32', dims: isOne ? how.scale.dims : [data.length], data };
  const all = withSlices(tensor, axis, slices);
  const rounded = quantise(all, dtype, { ...how, scale, zeroPoint, axis });
  if (rounded === undefined) throw new Error(`${dtype}: no type of weights`);
  const isRescaled = slices.some(
    (slice, k) => typeof slice === 'number' && scale.data[isOne ? 0 : k] !== how.scale.data[isOne ? 0 : slice],
  );
  return { integers: rounded, scale, zeroPoint, isRescaled };
}

interface Span {
  readonly below: number;
  readonly above: number;
}

/** How far the integers lie from their zero points; the type's own reach if there are none on a side. */
function spanOf(integers: Tensor, { zeroPoint, range }: Quantisation): Span {
  const zeros = zeroPoint ? Array.from(integersOf(zeroPoint), Number) : [0];
  const values = Array.from(integersOf(integers), Number);
  const [lowest, highest] = [Math.min(...zeros), Math.max(...zeros)];
  const [low, high] = range ?? rangeOf(integers.dtype) ?? [0, 0];
  const least = values.reduce((least, value) => Math.min(least, value), high);
  const most = values.reduce((most, value) => Math.max(most, value), low);
  return {
    below: lowest - least > 0 ? lowest - least : lowest - low,
    above: most - highest > 0 ? most - highest : high - highest,
  };
}

function stepFor(numbers: ArrayLike<number>, { below, above }: Span): number {
  return Array.from(numbers).reduce(
    (step, number) => Math.max(step, Math.fround(number > 0 ? number / above : -number / below) || 0),
    0,
  );
}

/** Integers of one sign hold no numbers of the other. */
function refuseOneSided(numbers: ArrayLike<number>, { below, above }: Span): void {
  const other = Array.from(numbers).find((number) => (number < 0 && below === 0) || (number > 0 && above === 0));
  if (other === undefined) return;
  throw new LossgraftError({
    code: 'head-dtype',
    where: 'the last layer',
    expected: 'integers on both sides of their zero point, to hold the numbers of new classes',
    found: `a zero point at the end of the range, and a new number of ${other}`,
    hint: 'Change the classes of the float model, then quantise it',
  });
}
