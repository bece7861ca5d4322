import { floatAttribute, type Node, type Pen, type Value } from '../../../../src/emit/index.ts';
import { isAbove } from '../masks.ts';
import type { Activation } from './activations.ts';

/** Weights of one direction. Gates are stacked in blocks, each of which is one product with the state. */
export interface Weights {
  readonly hidden: number;
  /** Weights of the state, by block: [rows, H]. */
  readonly r: readonly Value[];
  /** Biases of the state, by block: [rows]; they are part of the input's products, unless the cell says otherwise. */
  readonly rb: readonly Value[] | undefined;
  /** [H] each. */
  readonly peepholes: readonly Value[] | undefined;
}

/** One step forward: the next states, and what the gradient needs, starting with the state before the step. */
export interface Forward {
  readonly states: readonly Value[];
  readonly kept: readonly Value[];
}

/** One step back: gradients of the states before the step, and of the products. */
export interface Backward {
  readonly states: readonly Value[];
  readonly deltas: readonly Value[];
}

/** The gradients of one block's products over all steps, [T·N, rows], and what its weights of the state were multiplied with. */
export interface BlockGradient {
  readonly x: Value;
  readonly h: Value;
  readonly from: Value;
}

/**
 * A recurrent cell. Its gradient is linear in the gradients of the states, with factors computed at once from the saved values of all
 * steps: a step back is a few products.
 */
export interface Cell {
  readonly forward: (op: Pen, x: readonly Value[], states: readonly Value[]) => Forward;
  /** From saved values of all steps, [T·N, H]. */
  readonly factors: (op: Pen, kept: readonly Value[]) => readonly Value[];
  readonly backward: (op: Pen, gradients: readonly Value[], factors: readonly Value[]) => Backward;
  readonly blocks: (op: Pen, deltas: readonly Value[], kept: readonly Value[]) => readonly BlockGradient[];
  readonly peepholes?: (op: Pen, deltas: readonly Value[], kept: readonly Value[]) => Value;
}

/** The parts of a kind of recurrent operator. */
export interface CellKind {
  readonly states: 1 | 2;
  /** The gates of each block. */
  readonly blocks: readonly number[];
  /** Whether the state's bias of a block is not part of the input's products. */
  readonly ownBias: (block: number) => boolean;
  readonly activations: readonly string[];
  readonly cell: (node: Node, weights: Weights, activations: readonly Activation[]) => Cell;
}

/** A gate: an activation of a product that may be clipped first. */
export interface Gate {
  readonly apply: (op: Pen, z: Value) => Value;
  /** @param z the product, saved only if it is clipped. */
  readonly slope: (op: Pen, y: Value, z: Value | undefined) => Value;
}

export function clipOf(node: Node): number | undefined {
  const clip = floatAttribute(node, 'clip', 0);
  return clip > 0 ? clip : undefined;
}

export function gate({ apply, slope }: Activation, clip: number | undefined): Gate {
  if (clip === undefined) return { apply, slope };
  return {
    apply: (op, z) => apply(op, op.min(op.max(z, -clip), clip)),
    slope: (op, y, z) => (z ? op.mul(slope(op, y), op.sub(1, isAbove(op, op.abs(z), clip))) : slope(op, y)),
  };
}

/** Splits a matrix into `count` column blocks of equal width. */
export function columns(op: Pen, x: Value, count: number, width: number): Value[] {
  if (count === 1) return [x];
  const piece = { dtype: x.dtype, shape: x.shape && [...x.shape.slice(0, -1), width] };
  const sizes = op.vector(new Array<number>(count).fill(width));
  return op.callAll('Split', [x, sizes], new Array(count).fill(piece), { attributes: { axis: LAST } });
}

const LAST = { type: 'int', value: 1n } as const;

/** Joins matrices of equal width side by side. */
export function beside(op: Pen, parts: readonly Value[]): Value {
  const [first] = parts;
  const width = first?.shape?.[1];
  const joined = op.concat(parts, 1);
  joined.shape = first?.shape && [first.shape[0], typeof width === 'number' ? width * parts.length : undefined];
  return joined;
}

/** x rᵀ + z */
export function product(op: Pen, x: Value, r: Value, z: Value): Value {
  return op.call('Gemm', [x, r, z], { attributes: { transB: { type: 'int', value: 1n } }, shape: z.shape });
}
