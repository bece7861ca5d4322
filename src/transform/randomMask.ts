import type { Emitter, Value } from '../emit/index.ts';
import { staticDims } from '../emit/index.ts';

/**
 * Random masks as a function of (seed, node, step, position), in float64 arithmetic that is exact: products of numbers below the
 * prime 2²⁶ − 5 are below 2⁵³. Every IEEE machine gives the same bits, whatever the session, the number of threads or the provider.
 */
const PRIME = 67_108_859;

/** Keys that select a node's stream of numbers; whole numbers below {@link PRIME}. */
export type Keys = readonly number[];

/** Nine keys of node `index` under `seed`: SplitMix64 (Steele et al., OOPSLA 2014). */
export function keysOf(seed: number, index: number): Keys {
  const start = BigInt.asUintN(64, BigInt(seed) * 0x9e3779b97f4a7c15n + BigInt(index) * 0xd1342543de82ef95n);
  return Array.from({ length: 9 }, (_, i) => Number(splitMix(start + BigInt(i)) % BigInt(PRIME)));
}

function splitMix(state: bigint): bigint {
  let z = BigInt.asUintN(64, state * 0x9e3779b97f4a7c15n);
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}

/**
 * Uniform numbers in [0, 1) of x's shape, float64. Rows r (the first dimension) and columns c (the rest) get hashes a, b, d of their
 * index and the step, and an element is the fraction of (a_r + 1)·b_c/p + d_r/p: three operations for each element.
 *
 * @param firstRow is added to the index of each row, float64 []: rows that are a part of a batch get the numbers that they have in all of it.
 */
export function uniformLike(op: Emitter, x: Value, step: Value, keys: Keys, firstRow?: Value): Value {
  const [k0 = 0, k1 = 0, k2 = 0, k3 = 0, k4 = 0, k5 = 0, k6 = 0, k7 = 0, k8 = 0] = keys;
  const now = op.cast(step, 'float64');
  const [t1, t2, t3] = [hash(op, now, k0, k1), hash(op, now, k2, k3), hash(op, now, k4, k5)];
  const { rows: own, columns } = positions(op, x);
  const rows = firstRow ? op.add(own, firstRow) : own;
  const slope = op.add(hash(op, rows, t1, k6), 1);
  const offset = op.mul(hash(op, rows, t2, k7), 1 / PRIME);
  const fraction = op.mul(hash(op, columns, t3, k8), 1 / PRIME);
  const sum = op.add(op.mul(slope, fraction), offset);
  const uniform = op.sub(sum, op.floor(sum));
  const shaped = x.shape?.length === 2 ? uniform : op.reshape(uniform, op.dimsOf(x));
  shaped.shape = x.shape;
  return shaped;
}

/** The indices of the rows, [rows, 1], and of the columns, [1, columns]. */
function positions(op: Emitter, x: Value): { readonly rows: Value; readonly columns: Value } {
  const [first, ...rest] = staticDims(x.shape) ?? [];
  const flat = first === undefined ? op.shapeOf(op.call('Flatten', [x], { shape: [undefined, undefined] })) : undefined;
  const size = (axis: 0 | 1): Value => {
    if (!flat) return op.scalar(axis === 0 ? (first ?? 1) : rest.reduce((n, d) => n * d, 1), 'float64');
    return op.cast(op.gather(flat, op.scalar(axis, 'int64')), 'float64');
  };
  const range = (axis: 0 | 1): Value => {
    const inputs = [op.scalar(0, 'float64'), size(axis), op.scalar(1, 'float64')];
    return op.unsqueeze(op.call('Range', inputs, { shape: [undefined] }), [1 - axis]);
  };
  return { rows: range(0), columns: range(1) };
}

/** ((i + k)³ + l)³ modulo the prime, for which cubing is a permutation. */
function hash(op: Emitter, i: Value, k: Value | number, l: Value | number): Value {
  return cube(op, modulo(op, op.add(cube(op, modulo(op, op.add(i, k))), l)));
}

function cube(op: Emitter, x: Value): Value {
  return modulo(op, op.mul(modulo(op, op.mul(x, x)), x));
}

function modulo(op: Emitter, x: Value): Value {
  return op.sub(x, op.mul(op.floor(op.mul(x, 1 / PRIME)), PRIME));
}
