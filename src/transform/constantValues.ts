import type { Graph, Node, Value } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import type { Model } from '../model.ts';
import { toNumbers } from '../numbers.ts';
import { evaluate } from '../runtime/oracle/evaluate.ts';
import { inferTypes } from '../runtime/oracle/oracle.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import { constantTensor } from './constants.ts';

/** Shapes, axes, pads and the like are small; what is larger is data. */
const MAX_ELEMENTS = 4096;

export type ConstantReader = (value: Value) => readonly number[] | undefined;

/**
 * Reads values that do not depend on the data: initializers and Constant nodes from the file, and what exporters compute from
 * them (or from dimensions that are known) by letting ONNX Runtime compute it once.
 */
export async function constantReader(model: Model, graph: Graph): Promise<ConstantReader> {
  const computed = await computeConstants(model, graph);
  const cache = new Map<Value, readonly number[] | undefined>();
  return (value) => {
    if (cache.has(value)) return cache.get(value);
    const tensor = computed.get(value) ?? constantTensor(model.proto, graph, value, model.dir);
    const numbers = tensor && toNumbers(tensor);
    cache.set(value, numbers);
    return numbers;
  };
}

/**
 * Types of all values, also where shapes are computed by nodes that ONNX Runtime's inference does not follow: what depends on constants
 * alone is computed and told to it, as long as that makes more shapes known.
 */
export async function inferAllTypes(model: Model, graph: Graph): Promise<void> {
  await inferTypes(model.proto, graph);
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const unknown = [...graph.values.values()].filter(
      ({ shape }) => shape === undefined || shape.includes(undefined),
    ).length;
    if (unknown === 0 || unknown >= before) return;
    before = unknown;
    await inferTypes(model.proto, graph, undefined, await computeConstants(model, graph));
  }
}

/** Types of values that lossgraft's own nodes make, where the emitter could not tell them. */
export async function inferOwnTypes(model: Model, graph: Graph): Promise<void> {
  const own = graph.nodes
    .filter((node) => !node.proto)
    .flatMap((node) => node.outputs.filter((value) => value !== undefined));
  const unknown = own.filter(({ dtype, shape }) => dtype === undefined || shape === undefined);
  if (unknown.length > 0) await inferTypes(model.proto, graph, unknown);
}

async function computeConstants(model: Model, graph: Graph): Promise<ReadonlyMap<Value, Tensor>> {
  const known = new Set<Value>();
  const shapes = new Map<Value, Tensor>();
  const asked: Value[] = [];
  for (const node of topologicalOrder(graph)) {
    // All outputs or none: who takes the node away takes every one of them.
    const outputs = node.outputs.filter((output) => output !== undefined);
    const [output] = outputs;
    if (!output || !outputs.every(isSmall)) continue;
    const shape = staticShapeOf(node);
    if (shape) shapes.set(output, shape);
    if (shape || (isPure(node) && node.inputs.every((input) => input === undefined || isKnown(graph, input, known)))) {
      for (const value of outputs) known.add(value);
      if (!shape && node.opType !== 'Constant') asked.push(...outputs);
    }
  }
  const values = await evaluate(model, graph, asked, shapes);
  return new Map([...shapes, ...values]);
}

const IMPURE = new Set([
  'RandomNormal',
  'RandomUniform',
  'RandomNormalLike',
  'RandomUniformLike',
  'Bernoulli',
  'Multinomial',
]);

function isPure(node: Node): boolean {
  return node.captures.length === 0 && node.domain === '' && !IMPURE.has(node.opType);
}

function isKnown(graph: Graph, value: Value, known: ReadonlySet<Value>): boolean {
  return known.has(value) || (graph.initializers.has(value) && isSmall(value));
}

function isSmall(value: Value): boolean {
  const dims = value.shape?.filter((dim): dim is number => typeof dim === 'number');
  return dims !== undefined && dims.length === value.shape?.length && elementCount(dims) <= MAX_ELEMENTS;
}

/** The result of a Shape node whose input's dimensions are all known. */
function staticShapeOf(node: Node): Tensor | undefined {
  if (node.opType !== 'Shape' || node.domain !== '') return undefined;
  const shape = node.inputs[0]?.shape;
  const dims = shape?.filter((dim): dim is number => typeof dim === 'number');
  const [length] = node.outputs[0]?.shape ?? [];
  if (!dims || dims.length !== shape?.length || dims.length !== length) return undefined;
  return { dtype: 'int64', dims: [dims.length], data: BigInt64Array.from(dims, (d) => BigInt(d)) };
}
