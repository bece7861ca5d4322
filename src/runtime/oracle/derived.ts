import type { Graph, Node, Value } from '../../ir/graph.ts';
import { topologicalOrder } from '../../ir/order.ts';

/** Operators whose first output has the element type and shape of their first input. */
const SAME_TYPE = new Set([
  'Abs',
  'BatchNormalization',
  'Ceil',
  'Celu',
  'Clip',
  'Cos',
  'Dropout',
  'Elu',
  'Erf',
  'Exp',
  'Floor',
  'Gelu',
  'HardSigmoid',
  'HardSwish',
  'Identity',
  'InstanceNormalization',
  'LayerNormalization',
  'LeakyRelu',
  'Log',
  'LogSoftmax',
  'LRN',
  'Mish',
  'Neg',
  'Not',
  'Reciprocal',
  'Relu',
  'Round',
  'Selu',
  'Sigmoid',
  'Sign',
  'Sin',
  'Softmax',
  'Softplus',
  'Softsign',
  'Sqrt',
  'Tanh',
]);

/**
 * The `values` that need not be queried, because an operator only passes on its input's type: creating a session with tens of thousands
 * of outputs takes long. In the order in which they can be derived.
 */
export function derivable(graph: Graph, values: ReadonlySet<Value>): Value[] {
  const known = (value: Value | undefined) =>
    value !== undefined &&
    (values.has(value) || (value.producer === undefined && value.dtype !== undefined && value.shape !== undefined));
  return topologicalOrder(graph).flatMap((node) => {
    const [output] = node.outputs;
    return output && values.has(output) && passesOn(node) && known(node.inputs[0]) ? [output] : [];
  });
}

/** Whether a node's first output has the type and shape of its first input. */
export function passesOn(node: Node): boolean {
  return node.domain === '' && SAME_TYPE.has(node.opType);
}

/** Passes the types on. */
export function derive(values: readonly Value[]): void {
  for (const value of values) {
    const input = value.producer?.inputs[0];
    if (!input) continue;
    value.dtype = input.dtype;
    value.shape = input.shape;
  }
}
