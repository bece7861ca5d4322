import { binary, type GradientRule, unary } from '../../src/contract.ts';

export const Add: GradientRule = binary(({ dy }) => [dy, dy]);
export const Mul: GradientRule = binary(({ op, a, b, dy }) => [op.mul(dy, b), op.mul(dy, a)]);
export const Exp: GradientRule = unary(({ op, y, dy }) => op.mul(dy, y));
export const Identity: GradientRule = unary(({ dy }) => dy);
