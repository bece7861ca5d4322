import { intAttribute, type Node, type Pen, type Value } from '../../../../src/emit/index.ts';
import { beside, type Cell, type CellKind, clipOf, columns, type Gate, gate, product, type Weights } from './cell.ts';

/**
 * Gates z, r in one block and the candidate n in another: h′ = (1 − z) n + z h. `linear_before_reset` says whether r multiplies the
 * state's product, q = h Rᵀ + b, or the state before it. Saved: h, z, r, n, the reset (r h or q), and clipped products.
 */
export function gru(node: Node): CellKind {
  const isLinearFirst = intAttribute(node, 'linear_before_reset', 0) !== 0;
  return {
    states: 1,
    blocks: [2, 1],
    ownBias: (block) => isLinearFirst && block === 1,
    activations: ['Sigmoid', 'Tanh'],
    cell: (_, weights, [f, g]) => {
      if (!f || !g) throw new Error('a GRU of two activations');
      const clip = clipOf(node);
      const gates = { inner: gate(f, clip), candidate: gate(g, clip), isClipped: clip !== undefined };
      return isLinearFirst ? linearFirst(weights, gates) : resetFirst(weights, gates);
    },
  };
}

interface Gates {
  readonly inner: Gate;
  readonly candidate: Gate;
  readonly isClipped: boolean;
}

/** n = g(x + r q) */
function linearFirst({ hidden, r: [rzr, rn], rb }: Weights, gates: Gates): Cell {
  if (!rzr || !rn) throw new Error('a GRU of two blocks');
  return {
    forward: (op, [xzr, xn], [state]) => {
      const { z, r, h, products } = opened(op, { xzr, state, rzr, hidden }, gates);
      const bias = rb?.[1];
      const q = bias ? product(op, h, rn, bias) : op.gemm(h, rn, { transB: true });
      q.shape = h.shape;
      const zn = op.add(xn ?? q, op.mul(r, q));
      return closed(op, { z, r, h, zn, reset: q, products }, gates);
    },
    factors: (op, kept) => {
      const { kz, kn, z, r, reset, slopeOfR } = factorsOf(op, kept, gates);
      return [beside(op, [kz, op.mul(op.mul(kn, reset), slopeOfR)]), kn, r, z];
    },
    backward: (op, [dh], [kzr, kn, r, z]) => {
      if (!dh || !kzr || !kn || !r || !z) throw new Error('a GRU has four factors');
      const dzr = op.mul(beside(op, [dh, dh]), kzr);
      const dn = op.mul(dh, kn);
      const dq = op.mul(dn, r);
      const back = op.add(op.matMul(dzr, rzr), op.matMul(dq, rn));
      return { states: [op.add(back, op.mul(dh, z))], deltas: [dzr, dn, dq] };
    },
    blocks: (_, [dzr, dn, dq], [h]) =>
      dzr && dn && dq && h
        ? [
            { x: dzr, h: dzr, from: h },
            { x: dn, h: dq, from: h },
          ]
        : [],
  };
}

/** n = g(x + (r h) Rᵀ) */
function resetFirst({ hidden, r: [rzr, rn] }: Weights, gates: Gates): Cell {
  if (!rzr || !rn) throw new Error('a GRU of two blocks');
  return {
    forward: (op, [xzr, xn], [state]) => {
      const { z, r, h, products } = opened(op, { xzr, state, rzr, hidden }, gates);
      const reset = op.mul(r, h);
      const zn = product(op, reset, rn, xn ?? reset);
      return closed(op, { z, r, h, zn, reset, products }, gates);
    },
    factors: (op, kept) => {
      const { kz, kn, z, r, h, slopeOfR } = factorsOf(op, kept, gates);
      return [kz, op.mul(h, slopeOfR), kn, r, z];
    },
    backward: (op, [dh], [kz, kr, kn, r, z]) => {
      if (!dh || !kz || !kr || !kn || !r || !z) throw new Error('a GRU has five factors');
      const dn = op.mul(dh, kn);
      const dreset = op.matMul(dn, rn);
      const dzr = beside(op, [op.mul(dh, kz), op.mul(dreset, kr)]);
      const back = op.add(op.matMul(dzr, rzr), op.mul(dreset, r));
      return { states: [op.add(back, op.mul(dh, z))], deltas: [dzr, dn] };
    },
    blocks: (_, [dzr, dn], [h, , , , reset]) =>
      dzr && dn && h && reset
        ? [
            { x: dzr, h: dzr, from: h },
            { x: dn, h: dn, from: reset },
          ]
        : [],
  };
}

interface Opening {
  readonly xzr: Value | undefined;
  readonly state: Value | undefined;
  readonly rzr: Value;
  readonly hidden: number;
}

/** The gates z and r. */
function opened(op: Pen, { xzr, state: h, rzr, hidden }: Opening, { inner }: Gates) {
  if (!xzr || !h) throw new Error('a GRU of one state');
  const products = columns(op, product(op, h, rzr, xzr), 2, hidden);
  const [z = h, r = h] = products.map((each) => inner.apply(op, each));
  return { z, r, h, products };
}

interface Closing {
  readonly z: Value;
  readonly r: Value;
  readonly h: Value;
  readonly zn: Value;
  readonly reset: Value;
  readonly products: readonly Value[];
}

function closed(op: Pen, { z, r, h, zn, reset, products }: Closing, { candidate, isClipped }: Gates) {
  const n = candidate.apply(op, zn);
  const next = op.add(n, op.mul(z, op.sub(h, n)));
  return { states: [next], kept: [h, z, r, n, reset, ...(isClipped ? [...products, zn] : [])] };
}

/** The factors on the gradient of h′ for the products of z and n. */
function factorsOf(op: Pen, [h, z, r, n, reset, pz, pr, pn]: readonly Value[], { inner, candidate }: Gates) {
  if (!h || !z || !r || !n || !reset) throw new Error('a GRU keeps five values');
  const kz = op.mul(op.sub(h, n), inner.slope(op, z, pz));
  const kn = op.mul(op.sub(1, z), candidate.slope(op, n, pn));
  return { kz, kn, h, z, r, reset, slopeOfR: inner.slope(op, r, pr) };
}
