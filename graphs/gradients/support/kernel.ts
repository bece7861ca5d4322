import {
  intAttribute,
  ints,
  intsAttribute,
  type Node,
  staticDims,
  stringAttribute,
  unsupported,
  type Value,
} from '../../../src/emit/index.ts';
import { range } from '../../support/shapes.ts';
import { type Attributes, attributesOf } from './composite.ts';

/** Sizes of the kernel: the attribute, or the weights' own. @throws LossgraftError if neither is known. */
export function kernelShape(node: Node, weights: Value): readonly number[] {
  const kernel = intsAttribute(node, 'kernel_shape') ?? staticDims(weights.shape?.slice(2));
  if (kernel && kernel.length > 0) return kernel;
  throw unsupported(node, 'a known kernel shape', 'symbolic dimensions of the weights and no attribute kernel_shape');
}

/** Attributes of the Conv whose adjoint is a ConvTranspose, with explicit padding. */
export function transposedAttributes(node: Node, x: Value, w: Value, y: Value): Attributes {
  const kernel = kernelShape(node, w);
  const { kernel_shape, strides, dilations, group, pads } = {
    ...attributesOf(node),
    kernel_shape: ints(kernel),
    pads: ints(transposedPads(node, kernel, x, y)),
  } as Attributes;
  return Object.fromEntries(
    Object.entries({ kernel_shape, strides, dilations, group, pads }).flatMap(([name, value]) =>
      value ? [[name, value] as const] : [],
    ),
  );
}

/** With output_shape or auto_pad SAME, the padding is the excess of the full result. */
function transposedPads(node: Node, kernel: readonly number[], x: Value, y: Value): number[] {
  const mode = stringAttribute(node, 'auto_pad', 'NOTSET');
  const shape = intsAttribute(node, 'output_shape');
  const none = range(2 * kernel.length).map(() => 0);
  if (!shape && mode === 'VALID') return none;
  if (!shape && mode === 'NOTSET') return intsAttribute(node, 'pads') ?? none;
  const totals = kernel.map((_, i) => Math.max(0, surplus(node, kernel, i, x, y)));
  const halves = totals.map((total) => Math.floor(total / 2));
  const rests = totals.map((total, i) => total - (halves[i] ?? 0));
  return mode === 'SAME_UPPER' ? [...halves, ...rests] : [...rests, ...halves];
}

function surplus(node: Node, kernel: readonly number[], i: number, x: Value, y: Value): number {
  const at = (name: string, fallback: number) => intsAttribute(node, name)?.[i] ?? fallback;
  const [stride, span] = [at('strides', 1), ((kernel[i] ?? 1) - 1) * at('dilations', 1) + 1];
  const overhang = span + at('output_padding', 0);
  if (!intsAttribute(node, 'output_shape')) return overhang - stride;
  const [input, output] = [x.shape?.[i + 2], y.shape?.[i + 2]];
  if (typeof input === 'number' && typeof output === 'number') return (input - 1) * stride + overhang - output;
  throw unsupported(node, 'known spatial dimensions, since the attribute output_shape is set', 'symbolic ones');
}

/** The group count of a convolution. */
export function groupOf(node: Node): number {
  return intAttribute(node, 'group', 1);
}
