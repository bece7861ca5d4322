import type { GradientContext } from '../../../src/contract.ts';
import {
  float,
  floatAttribute,
  int,
  intAttribute,
  intsAttribute,
  string,
  stringAttribute,
  type Value,
} from '../../../src/emit/index.ts';
import {
  axisOf,
  type Length,
  lengthOf,
  lengths,
  outputOf,
  range,
  rankOf,
  reshapeTo,
  unsupported,
} from '../../support/shapes.ts';
import { type AxisMap, transposedMaps } from './linearMaps.ts';

/** One resized axis. */
interface Scaling {
  readonly axis: number;
  readonly from: Length;
  readonly to: Length;
  /** The given scale; `undefined` if sizes are given. */
  readonly scale: number | undefined;
}

/** Nearest by an integer factor is a sum over copies; everything else is the transpose of a map along each axis. */
export function resizeGradient(context: GradientContext): Value[] {
  refuse(context);
  const scalings = scalingsOf(context);
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
  const transformation = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
  if (transformation === 'tf_crop_and_resize') throw unsupported(node, 'a resize of the whole input', transformation);
  const policy = stringAttribute(node, 'keep_aspect_ratio_policy', 'stretch');
  if (policy !== 'stretch') throw unsupported(node, 'the aspect ratio policy stretch', policy);
}

function scalingsOf(context: GradientContext): Scaling[] {
  const { op, node, input, inputs, known, constant } = context;
  const [x, y] = [input(0), outputOf(context, 0)];
  const axes = intsAttribute(node, 'axes') ?? range(rankOf(node, x));
  const scales = inputs[3] ? undefined : constant(2);
  const sizes = known(3);
  return axes.flatMap((given, position) => {
    const axis = axisOf(node, x, given);
    const [from, to] = [lengthOf(op, x, axis), sizes?.[position] ?? lengthOf(op, y, axis)];
    const scale = scales?.[position];
    const isSame = scale === 1 || (scale === undefined && isKnownSame(x, y, axis));
    return isSame ? [] : [{ axis, from, to, scale }];
  });
}

function isKnownSame(x: Value, y: Value, axis: number): boolean {
  return x.shape?.[axis] !== undefined && x.shape[axis] === y.shape?.[axis];
}

/** How often nearest repeats each element, if it is equally often. */
function repeats({ node }: GradientContext, { from, to, scale }: Scaling): number | undefined {
  const factor = scale ?? (typeof from === 'number' && typeof to === 'number' ? to / from : undefined);
  if (factor === undefined || !Number.isInteger(factor) || stringAttribute(node, 'mode', 'nearest') !== 'nearest') {
    return undefined;
  }
  const transformation = stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel');
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

/** The same Resize of the last axis of a matrix, as an image: the linear modes take only such. */
function mapOf({ op, node }: GradientContext, { axis, from, to, scale }: Scaling): AxisMap {
  const attributes = {
    mode: string(stringAttribute(node, 'mode', 'nearest')),
    coordinate_transformation_mode: string(stringAttribute(node, 'coordinate_transformation_mode', 'half_pixel')),
    nearest_mode: string(stringAttribute(node, 'nearest_mode', 'round_prefer_floor')),
    cubic_coeff_a: float(floatAttribute(node, 'cubic_coeff_a', -0.75)),
    exclude_outside: int(intAttribute(node, 'exclude_outside', 0)),
    ...(op.opset >= 18 ? { antialias: int(intAttribute(node, 'antialias', 0)) } : {}),
  };
  const apply = (rows: Value): Value => {
    const image = op.unsqueeze(rows, [0, 1]);
    const scales = scale === undefined ? undefined : scalesOf(op, scale);
    const sizes = scale === undefined ? lengths(op, [1, 1, lengthOf(op, rows, 0), to]) : undefined;
    const resized = op.call('Resize', [image, undefined, scales, sizes], { attributes });
    // ONNX Runtime's shape inference counts otherwise than its kernel: a length that is known is stated.
    return reshapeTo(op, resized, [lengthOf(op, rows, 0), to]);
  };
  return { axis, length: from, apply, selects: stringAttribute(node, 'mode', 'nearest') === 'nearest' };
}

function scalesOf(op: GradientContext['op'], scale: number): Value {
  return op.constant({ dtype: 'float32', dims: [4], data: Float32Array.of(1, 1, 1, scale) });
}
