import type { Emitter, Value } from '../emit/index.ts';
import { floatAttribute, intAttribute } from '../ir/attributes.ts';
import type { Graph, Node } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import { dependents } from './differentiate.ts';

/**
 * BatchNormalization in training mode that normalises weights instead of data: standardised convolutions (BiT, NFNet) are written that
 * way. It always uses the statistics of its input, whatever mode the others have.
 */
export function standardiseWeights(op: Emitter): void {
  const { graph } = op;
  const training = graph.nodes.filter(
    (node) =>
      node.opType === 'BatchNormalization' && node.domain === '' && intAttribute(node, 'training_mode', 0) === 1,
  );
  if (training.length === 0) return;
  const onData = dependents(topologicalOrder(graph), graph.inputs);
  for (const node of training.filter((node) => standardises(graph, node, onData))) {
    graph.before(node, () => withOwnStatistics(op, node));
  }
}

function standardises(graph: Graph, { inputs, outputs }: Node, onData: ReadonlySet<Value>): boolean {
  const [x, scale, bias] = inputs;
  if (!x?.shape || onData.has(x) || !scale || !bias) return false;
  return outputs.slice(1).every((output) => !graph.isRead(output));
}

/** (x − μ) · γ/√(σ² + ε) + β of each channel, in plain operators. */
function withOwnStatistics(op: Emitter, node: Node): void {
  const [x, scale, bias] = node.inputs;
  if (!x?.shape || !scale || !bias) return;
  const axes = x.shape.map((_, i) => i).filter((axis) => axis !== 1);
  const perChannel = (value: Value): Value => op.unsqueeze(value, axes);
  const centred = op.sub(x, perChannel(op.reduceMean(x, axes)));
  const variance = op.reduceMean(op.mul(centred, centred), axes);
  const deviation = op.sqrt(op.add(variance, floatAttribute(node, 'epsilon', 1e-5)));
  const scaled = op.mul(centred, perChannel(op.div(scale, deviation)));
  const inputs = [scaled, perChannel(bias)];
  op.graph.replaceNode(node, { opType: 'Add', inputs, outputs: node.outputs.slice(0, 1) });
}
