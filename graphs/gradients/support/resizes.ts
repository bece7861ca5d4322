import type { GradientContext } from '../../../src/contract.ts';
import {
  float,
  floatAttribute,
  int,
  intAttribute,
  intsAttribute,
  type Node,
  type Pen,
  string,
  stringAttribute,
  unsupported,
  type Value,
} from '../../../src/emit/index.ts';
import { minus, times } from '../../support/arithmetic.ts';
import {
  axisOf,
  elementOf,
  type Length,
  lengthOf,
  lengths,
  outputOf,
  range,
  rankOf,
  reshapeTo,
} from '../../support/shapes.ts';
import { type AxisMap, transposedMaps } from './linearMaps.ts';

/** One resized axis. */
interface Scaling {
  readonly axis: number;
  readonly from: Length;
  readonly to: Length;
  /** The given scale; `undefined` if sizes are given. */
  readonly scale: number | undefined;
  readonly crop: Crop | undefined;
}

/** The start and end of the resized region, one float32 each: 0 is the axis's first element, 1 its last. */
interface Crop {
  readonly start: Value;
  readonly end: Value;
  readonly isWhole: boolean;
}

/** Nearest by an integer factor is a sum over copies; everything else is the transpose of a map along each axis. */
export function resizeGradient(context: GradientContext): Value[] {
  refuse(context);
  const scalings = scalingsOf(context);
  // The kernel crops only what it resizes.
  if (isKnownWhole(context)) return [context.dy];
  const factors = scalings.map((scaling) => repeats(context, scaling));
  if (factors.every((factor) => factor !== undefined)) return [sumOfCopies(context, scalings, factors)];
  return [
    transposedMaps(
      context,
      scalings.map((scaling) => mapOf(context, scaling)),
    ),
  ];
}

function refuse({ node }: GradientContext): void {
  const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch') throw unsupported(node, 'the aspect ratio policy stretch', policy);
}

function scalingsOf(context: GradientContext): Scaling[] {
  const { op, node, input, inputs, known, constant } = context;
  const [x, y] = [input(0), outputOf(context, 0)];
  const axes = intsAttribute(node, 'axes') ?? range(rankOf(node, x));
  const scales = inputs[3] ? undefined : constant(2);
  const sizes = known(3);
  const crops = cropsOf(context, axes.length);
  return axes.flatMap((given, position) => {
    const axis = axisOf(node, x, given);
    const [from, to] = [lengthOf(op, x, axis), sizes?.[position] ?? lengthOf(op, y, axis)];
    const scale = scales?.[position];
    const crop = crops?.(position);
    const isSame = scale === 1 || (scale === undefined && isKnownSame(x, y, axis));
    return isSame && (!crop || crop.isWhole || !isNearest(node)) ? [] : [{ axis, from, to, scale, crop }];
  });
}

function isNearest(node: Node): boolean {
  return stringAttribute(node, 'mode', 'nearest') === 'nearest';
}

/** Start and end of the crop by axis, for tf_crop_and_resize. ONNX Runtime's linear kernel does not crop an axis whose length stays. */
function cropsOf(context: GradientContext, count: number): ((position: number) => Crop) | undefined {
  const { op, node, input, known, wants } = context;
  if (transformationOf(context) !== 'tf_crop_and_resize') return undefined;
  if (wants(1))
    throw unsupported(node, 'regions to crop (roi) that nothing trained decides', 'some that need a gradient');
  const [roi, numbers] = [input(1), known(1)];
  return (position) => ({
    start: elementOf(op, roi, position),
    end: elementOf(op, roi, position + count),
    isWhole: numbers?.[position] === 0 && numbers[position + count] === 1,
  });
}

function transformationOf({ node }: GradientContext): string {
  return stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
}

function isKnownWhole(context: GradientContext): boolean {
  const [x, y] = [context.input(0), outputOf(context, 0)];
  return x.shape?.every((_, axis) => isKnownSame(x, y, axis)) ?? false;
}

function isKnownSame(x: Value, y: Value, axis: number): boolean {
  return x.shape?.[axis] !== undefined && x.shape[axis] === y.shape?.[axis];
}

/** How often nearest repeats each element, if it is equally often. */
function repeats(context: GradientContext, { from, to, scale }: Scaling): number | undefined {
  const { node } = context;
  const factor = scale ?? (typeof from === 'number' && typeof to === 'number' ? to / from : undefined);
  if (factor === undefined || !Number.isInteger(factor) || !isNearest(node)) {
    return undefined;
  }
  const transformation = transformationOf(context);
  const rounding = stringAttribute(node, 'nearest_mode', 'round_prefer_floor');
  if (transformation === 'asymmetric') {
    return rounding === 'floor' || (rounding === 'round_prefer_floor' && factor === 2) ? factor : undefined;
  }
  return transformation.includes('half_pixel') && rounding.startsWith('round') ? factor : undefined;
}

function sumOfCopies(
  { op, node, input, dy }: GradientContext,
  scalings: readonly Scaling[],
  factors: readonly (number | undefined)[],
): Value {
  const x = input(0);
  const parts = range(rankOf(node, x)).map((axis) => {
    const i = scalings.findIndex((scaling) => scaling.axis === axis);
    return [lengthOf(op, x, axis), ...(factors[i] === undefined ? [] : [factors[i]])];
  });
  const axes = parts.flatMap((part, i) => (part.length === 2 ? [parts.slice(0, i).flat().length + 1] : []));
  return axes.length === 0 ? dy : op.reduceSum(reshapeTo(op, dy, parts.flat()), axes);
}

/** The same Resize on the last axis of a matrix, as an image: the linear modes accept only images. */
function mapOf(context: GradientContext, { axis, from, to, scale, crop }: Scaling): AxisMap {
  const { op, node } = context;
  const attributes = {
    mode: string(stringAttribute(node, 'mode', 'nearest')),
    coordinate_transformation_mode: string(transformationOf(context)),
    nearest_mode: string(stringAttribute(node, 'nearest_mode', 'round_prefer_floor')),
    cubic_coeff_a: float(floatAttribute(node, 'cubic_coeff_a', -0.75)),
    exclude_outside: int(intAttribute(node, 'exclude_outside', 0)),
    ...(op.opset >= 18 ? { antialias: int(intAttribute(node, 'antialias', 0)) } : {}),
  };
  const apply = (rows: Value): Value => {
    const image = op.unsqueeze(rows, [0, 1]);
    if (crop) return croppedRows(op, image, to, crop, attributes);
    const scales = scale === undefined ? undefined : scalesOf(op, scale);
    const sizes = scale === undefined ? lengths(op, [1, 1, lengthOf(op, rows, 0), to]) : undefined;
    const resized = op.call('Resize', [image, undefined, scales, sizes], { attributes });
    // ONNX Runtime's shape inference differs from its kernel, so a known length is stated.
    return reshapeTo(op, resized, [lengthOf(op, rows, 0), to]);
  };
  return { axis, length: from, apply, selects: !crop && isNearest(node) };
}

/**
 * The last axis of an image alone, as rows. ONNX Runtime copies an image whose size stays, cropped or not: so twice the rows are asked for, of
 * which every other one is a row of the image.
 */
function croppedRows(op: Pen, image: Value, to: Length, { start, end }: Crop, attributes: Attributes): Value {
  const rows = lengthOf(op, image, 2);
  const many = minus(op, times(op, rows, 2), 1);
  const others = (at: number): Value =>
    op.constant({ dtype: 'float32', dims: [3], data: new Float32Array(3).fill(at) });
  const roi = op.concat([others(0), start, others(1), end], 0);
  const resized = op.call('Resize', [image, roi, undefined, lengths(op, [1, 1, many, to])], { attributes });
  const each = op.slice(reshapeTo(op, resized, [many, to]), { axes: [0], starts: [0], ends: [END], steps: [2] });
  each.shape = [typeof rows === 'number' ? rows : undefined, typeof to === 'number' ? to : undefined];
  return each;
}

const END = 2 ** 31 - 1;
type Attributes = NonNullable<NonNullable<Parameters<Pen['call']>[2]>['attributes']>;

function scalesOf(op: GradientContext['op'], scale: number): Value {
  return op.constant({ dtype: 'float32', dims: [4], data: Float32Array.of(1, 1, 1, scale) });
}
