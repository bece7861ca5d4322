import type { GradientContext, GradientRule } from '../../src/contract.ts';
import { type Node, type Pen, unsupported, type Value } from '../../src/emit/index.ts';

/** A length: a number, or a one-element int64 vector that is known when the graph runs. */
export type Length = number | Value;

/** The length of one axis, as a number where it is known. */
export function lengthOf(op: Pen, x: Value, axis: number): Length {
  const dim = x.shape?.[axis];
  if (typeof dim === 'number') return dim;
  return op.gather(op.shapeOf(x), op.vector([axis]));
}

/** Lengths as one int64 vector: a constant where all are known. */
export function lengths(op: Pen, parts: readonly Length[]): Value {
  const pieces: (number[] | Value)[] = [];
  for (const part of parts) {
    const last = pieces.at(-1);
    if (typeof part !== 'number') pieces.push(part);
    else if (Array.isArray(last)) last.push(part);
    else pieces.push([part]);
  }
  const values = pieces.map((piece) => (Array.isArray(piece) ? op.vector(piece) : piece));
  return values.length === 1 && values[0] ? values[0] : op.concat(values, 0);
}

/** A reshape to lengths of which some may be known only when the graph runs; 0 keeps a length, -1 takes what is left. */
export function reshapeTo(op: Pen, x: Value, parts: readonly Length[]): Value {
  const unknown = parts.filter((part) => typeof part !== 'number' || part < 0).length;
  if (unknown <= 1) {
    return op.reshape(
      x,
      parts.map((part) => (typeof part === 'number' ? part : -1)),
    );
  }
  const y = op.reshape(x, lengths(op, parts));
  y.shape = parts.map((part) => (typeof part === 'number' && part > 0 ? part : undefined));
  return y;
}

/** Element `i` of a vector, as a vector of one. */
export function elementOf(op: Pen, vector: Value, i: number): Value {
  if (vector.shape?.[0] === 1) return vector;
  const element = op.slice(vector, { axes: [0], starts: [i], ends: [i + 1] });
  element.shape = [1];
  return element;
}

/** Zeros of that shape. */
export function zerosOf(op: Pen, dtype: Value['dtype'], dims: readonly Length[]): Value {
  const zeros = op.expand(op.scalar(0, dtype ?? 'float32'), lengths(op, dims));
  zeros.shape = dims.map((dim) => (typeof dim === 'number' ? dim : undefined));
  return zeros;
}

/** 0, 1, … length − 1 as an int64 vector. */
export function indicesTo(op: Pen, length: Length): Value {
  if (typeof length === 'number') return op.vector(range(length));
  const scalar = (n: number): Value => op.scalar(n, 'int64');
  return op.call('Range', [scalar(0), op.squeeze(length, [0]), scalar(1)], { shape: [undefined] });
}

/** 1 on the diagonal of a square, else 0. */
export function identityMatrix(op: Pen, length: Length, dtype: Value['dtype'] = 'float32'): Value {
  const indices = indicesTo(op, length);
  return op.cast(op.equal(op.unsqueeze(indices, [1]), op.unsqueeze(indices, [0])), dtype);
}

/** The rank of a value. @throws LossgraftError `gradient-rank` where it is unknown. */
export function rankOf(node: Node, value: Value): number {
  if (value.shape) return value.shape.length;
  throw unsupported(node, `a known number of dimensions of "${value.name}"`, 'an unknown one');
}

/** An axis counted from the front. */
export function axisOf(node: Node, value: Value, axis: number): number {
  return axis < 0 ? axis + rankOf(node, value) : axis;
}

/** Output `i` of the node. */
export function outputOf({ node, outputs }: GradientContext, i: number): Value {
  const output = outputs[i];
  if (output) return output;
  throw unsupported(node, `output ${i}`, 'none');
}

/**
 * For an operator that broadcasts nothing: its gradients have the inputs' shapes, whatever the emitted operators let one infer, so
 * that the engine need not compare the two when the graph runs. `isExact` leaves out an input that is broadcast after all.
 */
export function exact(rule: GradientRule, isExact: (i: number) => boolean = () => true): GradientRule {
  return (context) => {
    const gradients = rule(context);
    for (const [i, gradient] of gradients.entries()) {
      if (gradient && gradient !== context.dy && isExact(i)) gradient.shape = context.inputs[i]?.shape;
    }
    return gradients;
  };
}

export function range(length: number, start = 0): number[] {
  return Array.from({ length }, (_, i) => start + i);
}
