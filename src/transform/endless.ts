import { LossgraftError } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Graph, Node } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { toNumbers } from '../numbers.ts';
import { readTensor } from '../onnx/index.ts';
import type { GraphProto } from '../onnx/types.ts';
import { constantTensor } from './constants.ts';

/** Exporters' values for "no limit" are far larger. */
const MOST_STEPS = 1e9;

/** @throws LossgraftError `endless-loop` for a Loop without a trip count whose condition never changes: a run of it would not return. */
export function refuseEndlessLoops(model: Model, graph: Graph): void {
  for (const node of graph.nodes) {
    const body = node.opType === 'Loop' && node.domain === '' ? node.proto?.attributes.get('body') : undefined;
    if (body?.type !== 'graph' || isBounded(model, graph, node) || !isForever(model, body.value)) continue;
    throw new LossgraftError({
      code: 'endless-loop',
      where: describeNode(node),
      expected: 'a Loop that ends: with a trip count, or with a condition that its body computes',
      found: 'no trip count, and a condition that stays true',
      hint: 'Export the model again; no runtime would return from this Loop',
    });
  }
}

function isBounded(model: Model, graph: Graph, { inputs: [count] }: Node): boolean {
  if (!count) return false;
  const tensor = constantTensor(model.proto, graph, count, model.dir);
  return tensor === undefined || (toNumbers(tensor)[0] ?? 0) < MOST_STEPS;
}

/** Whether a body's output condition is its input condition, or always true. */
function isForever(model: Model, body: GraphProto): boolean {
  let name = body.outputs[0]?.name ?? '';
  for (;;) {
    if (name === body.inputs[1]?.name) return true;
    const held = body.initializers.find((tensor) => tensor.name === name);
    const maker = body.nodes.find(({ outputs }) => outputs.includes(name));
    const value = maker?.opType === 'Constant' ? maker.attributes.get('value') : undefined;
    const tensor = held ?? (value?.type === 'tensor' ? value.value : undefined);
    if (tensor) return toNumbers(readTensor(model.proto.source, tensor, { modelDir: model.dir }))?.[0] === 1;
    if (!maker || (maker.opType !== 'Identity' && maker.opType !== 'Cast')) return false;
    name = maker.inputs[0] ?? '';
  }
}
