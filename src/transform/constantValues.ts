import { intAttribute } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import type { Model } from '../model.ts';
import { toNumbers } from '../numbers.ts';
import { evaluate } from '../runtime/oracle/evaluate.ts';
import { inferFrom, inferTypes } from '../runtime/oracle/oracle.ts';
import { restate } from '../runtime/oracle/restate.ts';
import { settleSizes } from '../runtime/oracle/sizes.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import { constantTensor } from './constants.ts';
import { dependents } from './differentiate.ts';

/** Shapes, axes, pads and the like are small; larger values are data. */
const MAX_ELEMENTS = 4096;

export type ConstantReader = (value: Value) => readonly number[] | undefined;

/** Values that do not depend on the data, computed by ONNX Runtime. */
export type Computed = ReadonlyMap<Value, Tensor>;

/**
 * Reads values that do not depend on the data: initializers and Constant nodes from the file, and values that exporters compute from them
 * or from known dimensions, which ONNX Runtime computes once.
 */
export async function constantReader(model: Model, graph: Graph): Promise<ConstantReader> {
  return readerOf(model, graph, await computeConstants(model, graph));
}

/** The same, for values computed before. */
export function readerOf(model: Model, graph: Graph, computed: Computed): ConstantReader {
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
 * Types of all values, with the dimensions from runs of the model: {@link settleSizes}. If the model does not run on noise, ONNX
 * Runtime's inference gives ranks but no lengths; values that depend only on constants are computed and told to it, as long as that
 * reveals more shapes.
 *
 * @returns notes for the user.
 */
export async function inferAllTypes(model: Model, graph: Graph): Promise<string[]> {
  const failure = await settleSizes(model, graph);
  if (failure === undefined) return [];
  for (let before = Number.POSITIVE_INFINITY; ; ) {
    const unknown = [...graph.values.values()].filter(
      ({ shape }) => shape === undefined || shape.includes(undefined),
    ).length;
    if (unknown === 0 || unknown >= before) break;
    before = unknown;
    await inferTypes(model.proto, graph, undefined, await computeConstants(model, graph));
  }
  forgetLengths(model, graph);
  const why = failure.why.replaceAll(/\s+/g, ' ').slice(0, 200);
  return [`The model fails on random inputs, so its graphs read sizes at run time (${why})`];
}

/** Removes lengths that no run has shown, for all values that depend on the inputs. */
function forgetLengths(model: Model, graph: Graph): void {
  const fed = dependents(topologicalOrder(graph), graph.inputs);
  for (const value of fed) {
    if (value.producer) value.shape = value.shape?.map((dim) => (typeof dim === 'number' ? undefined : dim));
  }
  restate(model.proto, graph, (value, _, stated) => !fed.has(value) || typeof stated !== 'number');
}

/** Types of values from lossgraft's own nodes that the emitter could not tell. */
export async function inferOwnTypes(model: Model, graph: Graph): Promise<void> {
  const own = graph.nodes
    .filter((node) => !node.proto)
    .flatMap((node) => node.outputs.filter((value) => value !== undefined));
  const unknown = own.filter(({ dtype, shape }) => dtype === undefined || shape === undefined);
  if (unknown.length > 0) await inferFrom(model.proto, graph, unknown);
}

/** @param trial computes only some of them, with that size for all free input dimensions. */
export async function computeConstants(
  model: Model,
  graph: Graph,
  trial?: { readonly only: ReadonlySet<Value>; readonly free: number },
): Promise<Computed> {
  const known = new Set<Value>();
  const shapes = new Map<Value, Tensor>();
  const asked: Value[] = [];
  for (const node of topologicalOrder(graph)) {
    // All outputs or none: removing the node removes every one of them.
    const outputs = node.outputs.filter((output) => output !== undefined);
    const [output] = outputs;
    if (!output || !outputs.every(isSmall)) continue;
    const shape = staticShapeOf(node, trial?.free);
    if (shape) shapes.set(output, shape);
    if (shape || (isPure(node) && node.inputs.every((input) => input === undefined || isKnown(graph, input, known)))) {
      for (const value of outputs) known.add(value);
      const isAsked = trial ? outputs.some((value) => trial.only.has(value)) : node.opType !== 'Constant';
      if (!shape && isAsked) asked.push(...outputs);
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

/** The result of a Shape node whose input's dimensions are all known; those with a name are `free`. */
function staticShapeOf(node: Node, free?: number): Tensor | undefined {
  if (node.opType !== 'Shape' || node.domain !== '') return undefined;
  const shape = node.inputs[0]?.shape?.map((dim) => (typeof dim === 'string' ? free : dim));
  const dims = shape?.filter((dim): dim is number => typeof dim === 'number');
  const [length] = node.outputs[0]?.shape ?? [];
  if (!dims || dims.length !== shape?.length) return undefined;
  const part = dims.slice(
    intAttribute(node, 'start', 0),
    node.attributes.has('end') ? intAttribute(node, 'end', 0) : undefined,
  );
  if (part.length !== length) return undefined;
  return { dtype: 'int64', dims: [part.length], data: BigInt64Array.from(part, (d) => BigInt(d)) };
}
