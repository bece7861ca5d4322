import type { Value } from '../ir/graph.ts';

/** An operand: a value, or a number that becomes a scalar constant of the other operand's element type. */
export type Operand = Value | number;

export const UNARY = {
  abs: 'Abs',
  ceil: 'Ceil',
  cos: 'Cos',
  cosh: 'Cosh',
  erf: 'Erf',
  exp: 'Exp',
  floor: 'Floor',
  identity: 'Identity',
  log: 'Log',
  neg: 'Neg',
  not: 'Not',
  reciprocal: 'Reciprocal',
  relu: 'Relu',
  sigmoid: 'Sigmoid',
  sign: 'Sign',
  sin: 'Sin',
  sinh: 'Sinh',
  softplus: 'Softplus',
  sqrt: 'Sqrt',
  tanh: 'Tanh',
} as const;

export const BINARY = { add: 'Add', div: 'Div', mul: 'Mul', pow: 'Pow', sub: 'Sub', max: 'Max', min: 'Min' } as const;
export const LOGIC = { and: 'And', or: 'Or' } as const;
export const COMPARISON = { equal: 'Equal', greater: 'Greater', less: 'Less' } as const;
export const REDUCTION = {
  reduceL1: 'ReduceL1',
  reduceMax: 'ReduceMax',
  reduceMean: 'ReduceMean',
  reduceMin: 'ReduceMin',
  reduceProd: 'ReduceProd',
  reduceSum: 'ReduceSum',
  reduceSumSquare: 'ReduceSumSquare',
} as const;

export type Unaries = { readonly [K in keyof typeof UNARY]: (x: Value) => Value };
export type Binaries = {
  readonly [K in keyof (typeof BINARY & typeof LOGIC & typeof COMPARISON)]: (a: Operand, b: Operand) => Value;
};
/** Without `axes` everything is reduced. Reduced dimensions are dropped unless `keepDims`. */
export type Reductions = {
  readonly [K in keyof typeof REDUCTION]: (x: Value, axes?: readonly number[], keepDims?: boolean) => Value;
};
