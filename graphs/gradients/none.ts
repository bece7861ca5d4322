import { type GradientRule, noGradient } from '../../src/contract.ts';

/*
 * No gradient flows: results are integers or booleans, or piecewise constant in the inputs, or drawn at random.
 * PyTorch's gradients of Floor, Ceil, Round and Sign are zeros too.
 */
export const And: GradientRule = noGradient;
export const ArgMax: GradientRule = noGradient;
export const ArgMin: GradientRule = noGradient;
export const Bernoulli: GradientRule = noGradient;
export const BitShift: GradientRule = noGradient;
export const BitwiseAnd: GradientRule = noGradient;
export const BitwiseNot: GradientRule = noGradient;
export const BitwiseOr: GradientRule = noGradient;
export const BitwiseXor: GradientRule = noGradient;
export const Ceil: GradientRule = noGradient;
export const Constant: GradientRule = noGradient;
export const ConstantOfShape: GradientRule = noGradient;
export const Equal: GradientRule = noGradient;
export const EyeLike: GradientRule = noGradient;
export const Floor: GradientRule = noGradient;
export const Greater: GradientRule = noGradient;
export const GreaterOrEqual: GradientRule = noGradient;
export const Hardmax: GradientRule = noGradient;
export const IsInf: GradientRule = noGradient;
export const IsNaN: GradientRule = noGradient;
export const Less: GradientRule = noGradient;
export const LessOrEqual: GradientRule = noGradient;
export const Multinomial: GradientRule = noGradient;
export const NonMaxSuppression: GradientRule = noGradient;
export const NonZero: GradientRule = noGradient;
export const Not: GradientRule = noGradient;
export const OneHot: GradientRule = noGradient;
export const Or: GradientRule = noGradient;
export const RandomNormal: GradientRule = noGradient;
export const RandomNormalLike: GradientRule = noGradient;
export const RandomUniform: GradientRule = noGradient;
export const RandomUniformLike: GradientRule = noGradient;
export const Range: GradientRule = noGradient;
export const Round: GradientRule = noGradient;
export const Shape: GradientRule = noGradient;
export const Sign: GradientRule = noGradient;
export const Size: GradientRule = noGradient;
export const Xor: GradientRule = noGradient;
