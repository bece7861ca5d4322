import type { GradientContext, GradientRule } from '../../../src/contract.ts';
import {
  elementCount,
  intAttribute,
  intsAttribute,
  type Operand,
  type Pen,
  staticDims,
  type Value,
} from '../../../src/emit/index.ts';

type Axes = readonly number[] | 'all';

/** The context of a reduction's rule: y and dy broadcast against x. */
export interface ReductionContext {
  readonly op: Pen;
  readonly x: Value;
  readonly y: Value;
  readonly dy: Value;
  /** Reduces a value with the shape of x over the same axes, keeping dimensions. */
  readonly reduce: (kind: 'reduceSum' | 'reduceMax' | 'reduceProd', value: Value) => Value;
  /** One over the number of elements of x per element of y. */
  readonly inverseCount: () => Operand;
}

/** A rule for a Reduce* operator, for all forms of its axes: attribute or input, negative, empty, with or without keepdims. */
export function reduction(rule: (context: ReductionContext) => Value): GradientRule {
  return (context) => {
    const { op, node, outputs, dy } = context;
    const x = context.input(0);
    const axes = reducedAxes(context);
    const isRestored = axes === 'all' || axes.length === 0 || intAttribute(node, 'keepdims', 1) === 1;
    const restore = (value: Value) => (isRestored ? value : op.unsqueeze(value, axes));
    const reduce: ReductionContext['reduce'] = (kind, value) => {
      if (axes === 'all') return op[kind](value, undefined, true);
      return axes.length === 0 ? value : op[kind](value, axes, true);
    };
    const [y = dy] = outputs;
    return [
      rule({
        op,
        x,
        y: restore(y),
        dy: restore(dy),
        reduce,
        inverseCount: () => inverseCount(op, x, y, axes),
      }),
    ];
  };
}

/** No axes at all mean every axis, unless noop_with_empty_axes; then the operator is elementwise: ReduceSumSquare gives x². */
function reducedAxes({ node, constant }: GradientContext): Axes {
  const axes = intsAttribute(node, 'axes') ?? constant(1) ?? [];
  return axes.length > 0 || intAttribute(node, 'noop_with_empty_axes', 0) === 1 ? axes : 'all';
}

/** One over the number of elements reduced into one; counted at run time if a dimension is symbolic. */
function inverseCount(op: Pen, x: Value, y: Value, axes: Axes): Operand {
  const dims = x.shape && (axes === 'all' ? x.shape : axes.map((axis) => x.shape?.at(axis)));
  const known = staticDims(dims);
  if (known) return 1 / elementCount(known);
  const size = (value: Value) => op.cast(op.call('Size', [value], { dtype: 'int64', shape: [] }), 'float32');
  return op.cast(op.div(axes === 'all' ? 1 : size(y), size(x)), x.dtype ?? 'float32');
}
