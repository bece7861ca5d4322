import { type CellKind, clipOf, gate, product } from './cell.ts';

/** h′ = f(x + h Rᵀ). Saved: h, h′, and clipped products. */
export const rnn: CellKind = {
  states: 1,
  blocks: [1],
  ownBias: () => false,
  activations: ['Tanh'],
  cell: (node, { r: [r] }, [f]) => {
    if (!r || !f) throw new Error('an RNN of one block and one activation');
    const clip = clipOf(node);
    const only = gate(f, clip);
    return {
      forward: (op, [x], [h]) => {
        if (!x || !h) throw new Error('an RNN of one state');
        const z = product(op, h, r, x);
        const next = only.apply(op, z);
        return { states: [next], kept: [h, next, ...(clip === undefined ? [] : [z])] };
      },
      factors: (op, [, next, z]) => (next ? [only.slope(op, next, z)] : []),
      backward: (op, [dh], [k]) => {
        if (!dh || !k) throw new Error('an RNN has one factor');
        const delta = op.mul(dh, k);
        return { states: [op.matMul(delta, r)], deltas: [delta] };
      },
      blocks: (_, [delta], [h]) => (delta && h ? [{ x: delta, h: delta, from: h }] : []),
    };
  },
};
