import { isView } from '../ir/edit.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { readTensor } from '../onnx/index.ts';
import type { ModelProto } from '../onnx/types.ts';
import type { Tensor } from '../tensor.ts';

const FOLDED = new Set(
  'Identity Transpose Cast Reshape Unsqueeze Squeeze Flatten QuantizeLinear DequantizeLinear'.split(' '),
);

/** Whether a value depends only on constants: an initializer, a Constant node, or these moved or cast. */
export function isConstant(graph: Graph, value: Value): boolean {
  for (let v: Value | undefined = value; v !== undefined; ) {
    if (graph.initializers.has(v)) return true;
    const producer: Node | undefined = v.producer;
    if (producer === undefined) return false;
    if (producer.opType === 'Constant' || producer.opType === 'ConstantOfShape') return true;
    if (!FOLDED.has(producer.opType) && !isCut(graph, producer)) return false;
    v = producer.inputs[0];
  }
  return false;
}

/** Whether a node cuts its first input to a bound that is constant, as that of a weight of 4 bits. */
export function isCut(graph: Graph, { opType, inputs }: Node): boolean {
  const [, bound] = inputs;
  return (
    (opType === 'Max' || opType === 'Min') &&
    inputs.length === 2 &&
    bound !== undefined &&
    graph.initializers.has(bound)
  );
}

/** The elements of an initializer or a Constant node's tensor; `undefined` for anything else. */
export function constantTensor(model: ModelProto, graph: Graph, value: Value, modelDir?: string): Tensor | undefined {
  const where = modelDir === undefined ? {} : { modelDir };
  const source = graph.initializers.get(value);
  if (source) return isView(source) ? readTensor(model.source, source, where) : source;
  const node = value.producer;
  if (node?.opType === 'Identity') {
    const input = node.inputs[0];
    return input && constantTensor(model, graph, input, modelDir);
  }
  if (node?.opType !== 'Constant') return undefined;
  const tensor = node.attributes.get('value');
  if (tensor?.type !== 'tensor') return undefined;
  return 'span' in tensor.value ? readTensor(model.source, tensor.value, where) : tensor.value;
}
