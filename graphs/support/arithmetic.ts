import type { Pen } from '../../src/emit/index.ts';
import type { Length } from './shapes.ts';

/** a + b, in the graph where one is known only there. */
export function plus(op: Pen, a: Length, b: Length): Length {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  if (a === 0) return b;
  return b === 0 ? a : op.add(a, b);
}

export function minus(op: Pen, a: Length, b: Length): Length {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return b === 0 ? a : op.sub(a, b);
}

export function times(op: Pen, a: Length, b: Length): Length {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  if (a === 1) return b;
  return b === 1 ? a : op.mul(a, b);
}

/** ⌊a / b⌋ of lengths that are not negative. */
export function quotient(op: Pen, a: Length, b: number): Length {
  if (typeof a === 'number') return Math.floor(a / b);
  return b === 1 ? a : op.div(a, b);
}

export function larger(op: Pen, a: Length, b: Length): Length {
  if (typeof a === 'number' && typeof b === 'number') return Math.max(a, b);
  return op.max(a, b);
}
