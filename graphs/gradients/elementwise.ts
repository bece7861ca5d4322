import { binary, type GradientRule, unary } from '../../src/contract.ts';
import { clipGradients } from './support/clip.ts';
import { dropoutGradient } from './support/dropout.ts';
import { isEqual } from './support/masks.ts';
import { powGradients } from './support/pow.ts';

export const Add: GradientRule = binary(({ dy }) => [dy, dy]);
export const Sub: GradientRule = binary(({ op, dy }) => [dy, op.neg(dy)]);
export const Mul: GradientRule = binary(({ op, a, b, dy }) => [op.mul(dy, b), op.mul(dy, a)]);
export const Div: GradientRule = binary(({ op, b, y, dy }) => {
  const da = op.div(dy, b);
  return [da, op.neg(op.mul(da, y))];
});
export const Pow: GradientRule = powGradients;

export const Sum: GradientRule = ({ inputs, dy }) => inputs.map(() => dy);
export const Mean: GradientRule = ({ op, inputs, dy }) => {
  const share = op.mul(dy, 1 / inputs.length);
  return inputs.map(() => share);
};

/** Ties share the gradient evenly: torch.maximum's half each, torch.amax's for more than two. */
export const Max: GradientRule = ({ op, inputs, outputs, dy }) => {
  const [y = dy] = outputs;
  const hits = inputs.map((x) => isEqual(op, y, x ?? y));
  const ties = hits.reduce((sum, hit) => op.add(sum, hit));
  const share = op.div(dy, ties);
  return hits.map((hit) => op.mul(share, hit));
};
export const Min: GradientRule = Max;

export const Neg: GradientRule = unary(({ op, dy }) => op.neg(dy));
export const Abs: GradientRule = unary(({ op, x, dy }) => op.mul(dy, op.sign(x)));
/** Infinite at 0, as in PyTorch. */
export const Sqrt: GradientRule = unary(({ op, y, dy }) => op.div(dy, op.mul(y, 2)));
export const Reciprocal: GradientRule = unary(({ op, y, dy }) => op.neg(op.mul(op.mul(dy, y), y)));
export const Exp: GradientRule = unary(({ op, y, dy }) => op.mul(dy, y));
export const Log: GradientRule = unary(({ op, x, dy }) => op.div(dy, x));
/** d erf(x)/dx = 2/√π · exp(−x²) */
export const Erf: GradientRule = unary(({ op, x, dy }) =>
  op.mul(dy, op.mul(op.exp(op.neg(op.mul(x, x))), 2 / Math.sqrt(Math.PI))),
);

export const Sin: GradientRule = unary(({ op, x, dy }) => op.mul(dy, op.cos(x)));
export const Cos: GradientRule = unary(({ op, x, dy }) => op.neg(op.mul(dy, op.sin(x))));
export const Tan: GradientRule = unary(({ op, y, dy }) => op.mul(dy, op.add(op.mul(y, y), 1)));
/** 1 − x² as (1 − x)(1 + x), which keeps its digits near ±1; the same below. */
export const Asin: GradientRule = unary(({ op, x, dy }) => op.div(dy, op.sqrt(op.mul(op.sub(1, x), op.add(x, 1)))));
export const Acos: GradientRule = unary(({ op, x, dy }) =>
  op.neg(op.div(dy, op.sqrt(op.mul(op.sub(1, x), op.add(x, 1))))),
);
export const Atan: GradientRule = unary(({ op, x, dy }) => op.div(dy, op.add(op.mul(x, x), 1)));
export const Sinh: GradientRule = unary(({ op, x, dy }) => op.mul(dy, op.cosh(x)));
export const Cosh: GradientRule = unary(({ op, x, dy }) => op.mul(dy, op.sinh(x)));
export const Tanh: GradientRule = unary(({ op, y, dy }) => op.mul(dy, op.sub(1, op.mul(y, y))));
export const Asinh: GradientRule = unary(({ op, x, dy }) => op.div(dy, op.sqrt(op.add(op.mul(x, x), 1))));
export const Acosh: GradientRule = unary(({ op, x, dy }) => op.div(dy, op.sqrt(op.mul(op.sub(x, 1), op.add(x, 1)))));
export const Atanh: GradientRule = unary(({ op, x, dy }) => op.div(dy, op.mul(op.sub(1, x), op.add(x, 1))));

export const Identity: GradientRule = unary(({ dy }) => dy);
/** Between floats; through integers no gradient flows. */
export const Cast: GradientRule = unary(({ op, x, dy }) => op.cast(dy, x.dtype ?? 'float32'));
export const CastLike: GradientRule = Cast;

/** A real Where, not a mask: the unselected branch gets 0 even if dy is infinite, as in √where(d > 0, d, 0). */
export const Where: GradientRule = ({ op, input, dy }) => [
  undefined,
  op.where(input(0), dy, 0),
  op.where(input(0), 0, dy),
];

export const Clip: GradientRule = clipGradients;
export const Dropout: GradientRule = dropoutGradient;

/** a = q b + y with a whole number q: db = −q dy. */
export const Mod: GradientRule = binary(({ op, a, b, y, dy }) => {
  const q = op.call('Round', [op.div(op.sub(a, y), b)], { shape: y.shape });
  return [dy, op.neg(op.mul(dy, q))];
});
