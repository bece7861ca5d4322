import { intAttribute, type Pen, type Value } from '../../emit/index.ts';
import type { NodeForm } from '../adapt.ts';

/*
 * Reductions over no axis that reduce nothing (`noop_with_empty_axes`): the kernels return x itself, even where the operator maps each
 * element.
 */

function unreduced(write: (op: Pen, x: Value) => Value): NodeForm {
  return ({ op, node, input, constant }) => {
    const [, axes] = node.inputs;
    const isEmpty =
      axes === undefined ? !node.attributes.has('axes') : constant(axes)?.length === 0 || axes.shape?.[0] === 0;
    return intAttribute(node, 'noop_with_empty_axes', 0) === 1 && isEmpty ? [write(op, input(0))] : undefined;
  };
}

export const ReduceL1: NodeForm = unreduced((op, x) => op.abs(x));

export const ReduceL2: NodeForm = unreduced((op, x) => op.abs(x));

export const ReduceSumSquare: NodeForm = unreduced((op, x) => op.mul(x, x));

export const ReduceLogSum: NodeForm = unreduced((op, x) => op.log(x));
