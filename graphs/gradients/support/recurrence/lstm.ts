import { intAttribute, type Value } from '../../../../src/emit/index.ts';
import { beside, type CellKind, clipOf, columns, gate, product } from './cell.ts';

/**
 * Gates i, o, f, g in one block: c′ = f c + i g, h′ = o t with t = h(c′). Peepholes let i and f see c, and o see c′. Saved: h, c, i, o,
 * f, g, t, and clipped products.
 */
export const lstm: CellKind = {
  states: 2,
  blocks: [4],
  ownBias: () => false,
  activations: ['Sigmoid', 'Tanh', 'Tanh'],
  cell: (node, { hidden, r: [r], peepholes }, [f, g, h]) => {
    if (!r || !f || !g || !h) throw new Error('an LSTM of one block and three activations');
    const clip = clipOf(node);
    const [inner, candidate] = [gate(f, clip), gate(g, clip)];
    const couples = intAttribute(node, 'input_forget', 0) !== 0;
    const [pi, po, pf] = peepholes ?? [];
    return {
      forward: (op, [z], [state, c]) => {
        if (!z || !state || !c) throw new Error('an LSTM of two states');
        const peep = (value: Value, p: Value | undefined, cell: Value): Value =>
          p ? op.add(value, op.mul(cell, p)) : value;
        const [xi = z, xo = z, xf = z, zg = z] = columns(op, product(op, state, r, z), 4, hidden);
        const [zi, zf] = [peep(xi, pi, c), peep(xf, pf, c)];
        const i = inner.apply(op, zi);
        const forget = couples ? op.sub(1, i) : inner.apply(op, zf);
        const fresh = candidate.apply(op, zg);
        const next = op.add(op.mul(forget, c), op.mul(i, fresh));
        const zo = peep(xo, po, next);
        const o = inner.apply(op, zo);
        const t = h.apply(op, next);
        const clipped = clip === undefined ? [] : [zi, zo, zf, zg];
        return { states: [op.mul(o, t), next], kept: [state, c, i, o, forget, fresh, t, ...clipped] };
      },
      factors: (op, [, c, i, o, forget, fresh, t, zi, zo, zf, zg]) => {
        if (!c || !i || !o || !forget || !fresh || !t) throw new Error('an LSTM keeps seven values');
        const ki = op.mul(couples ? op.sub(fresh, c) : fresh, inner.slope(op, i, zi));
        const ko = op.mul(t, inner.slope(op, o, zo));
        const kf = couples ? op.mul(forget, 0) : op.mul(c, inner.slope(op, forget, zf));
        const kg = op.mul(i, candidate.slope(op, fresh, zg));
        const toCell = op.mul(o, h.slope(op, t));
        const seen = (factor: Value, k: Value, p: Value | undefined): Value =>
          p ? op.add(factor, op.mul(k, p)) : factor;
        return [beside(op, [ki, ko, kf, kg]), seen(toCell, ko, po), seen(seen(forget, ki, pi), kf, pf)];
      },
      backward: (op, [dh, dc], [k, toCell, onward]) => {
        if (!dh || !dc || !k || !toCell || !onward) throw new Error('an LSTM has three factors');
        const cell = op.add(op.mul(dh, toCell), dc);
        const delta = op.mul(beside(op, [cell, dh, cell, cell]), k);
        return { states: [op.matMul(delta, r), op.mul(cell, onward)], deltas: [delta] };
      },
      blocks: (_, [delta], [state]) => (delta && state ? [{ x: delta, h: delta, from: state }] : []),
      peepholes: (op, [delta], [, c, i, , forget, fresh]) => {
        if (!delta || !c || !i || !forget || !fresh) throw new Error('an LSTM keeps seven values');
        const next = op.add(op.mul(forget, c), op.mul(i, fresh));
        const [di = c, dout = c, df = c] = columns(op, delta, 4, hidden);
        const parts = [op.mul(di, c), op.mul(dout, next), op.mul(df, c)];
        return op.concat(
          parts.map((part) => op.reduceSum(part, [0])),
          0,
        );
      },
    };
  },
};
