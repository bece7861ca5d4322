import { LossgraftError } from '../errors.ts';
import { fromBytes } from '../files/bytes.ts';
import { describeNode, int } from '../ir/attributes.ts';
import { buildGraph } from '../ir/build.ts';
import { graphEdit, isView } from '../ir/edit.ts';
import type { Graph, InitializerSource, Node, Value } from '../ir/graph.ts';
import { type Model, typedGraph } from '../model.ts';
import { inFloat32 } from '../numbers.ts';
import { editedBytes, readTensor, scan } from '../onnx/index.ts';
import type { AttributeInit, ModelEdit, TensorProto } from '../onnx/types.ts';
import { type DataType, elementCount, isOtherFloat, type Tensor } from '../tensor.ts';
import { inlineFunctions } from './inline.ts';
import { openStructures } from './openBodies.ts';
import { findParameters } from './parameters.ts';
import { addMasters, inPairs, quantisations } from './qdq.ts';

/** float16, bfloat16 and float64 in TensorProto.DataType. */
const OTHERS = new Set<bigint>([10n, 16n, 11n]);
const FLOAT32 = 1;

/**
 * A model in float16, bfloat16, float64 or with quantised weights (QDQ) as it is trained: the same network with weights in float32, from the
 * same numbers. Every name stays, so what is trained is written back under it, in the file's own type. Gradients need no loss scaling, since
 * nothing is computed in half precision. Any other model is returned as it is.
 *
 * @throws LossgraftError `other-precision` where a body holds sequences or sparse tensors.
 */
export function widened(model: Model): Model {
  const known = twins.get(model);
  if (known) return known;
  const twin = twinOf(model);
  twins.set(model, twin);
  return twin;
}

const twins = new WeakMap<Model, Model>();

/** A sound file for which ONNX Runtime has no kernel on this machine, such as a Conv in float64: other machines may run it. */
const NO_KERNEL = 'Could not find an implementation';

/**
 * Has ONNX Runtime read the file behind a widened model. The copy could hide an error in it, such as operators with inputs of two types.
 *
 * @throws LossgraftError `model-not-loaded` if ONNX Runtime refuses the file.
 */
export async function checkStored({ stored }: Model): Promise<void> {
  if (!stored) return;
  try {
    await typedGraph(stored);
  } catch (error) {
    if (!(error instanceof LossgraftError && error.message.includes(NO_KERNEL))) throw error;
  }
}

/** What the user should know of a model that is trained in another precision than its own. */
export function wideningNotes(model: Model): string[] {
  const { integerOperators = [] } = model;
  const computed =
    integerOperators.length === 0
      ? []
      : [
          `Training computes ${integerOperators.join(', ')} in floats, rounded as the file does; the file keeps these operators`,
        ];
  const types = storedAs(model);
  const own = types.join(' and ');
  if (own === '') return computed;
  if (types.every(isOtherFloat))
    return [`The model is in ${own}: its weights train in float32 and go back into the file as ${own}`];
  const rounded =
    `The weights are quantised (${own}): training rounds float32 masters to the file's scales in every step, gradients pass the rounding, ` +
    `and the trained weights go back as ${own}`;
  return [rounded, ...computed];
}

/** The types of the weights in a widened model's file; none of another model. */
export function storedAs({ stored }: Model): readonly DataType[] {
  if (stored === undefined) return [];
  const { initializers, nodes } = stored.proto.graph;
  const quantised = quantisations(stored.proto, (tensor) =>
    readTensor(stored.proto.source, tensor, { modelDir: stored.dir }),
  );
  const constants = nodes.flatMap(({ attributes }) => attributes.get('value') ?? []);
  const tensors = [...initializers, ...constants.flatMap((each) => (each.type === 'tensor' ? each.value : []))];
  const isStored = (tensor: TensorProto): boolean =>
    isOtherFloat(tensor.dtype) || (tensor.dtype !== 'int32' && quantised.has(tensor));
  return [...new Set(tensors.flatMap((tensor) => (isStored(tensor) ? (tensor.dtype ?? []) : [])))];
}

/** Whether most of its weights are in such a type: a few float64 numbers do not make a model of it. */
function usesOtherFloats({ proto: { graph } }: Model): boolean {
  const constants = graph.nodes.flatMap(({ attributes }) => {
    const value = attributes.get('value');
    return value?.type === 'tensor' ? [value.value] : [];
  });
  const elements = (isCounted: (dtype: DataType | undefined) => boolean): number =>
    [...graph.initializers, ...constants]
      .filter(({ dtype }) => isCounted(dtype))
      .reduce((sum, { dims }) => sum + elementCount(dims), 0);
  return elements(isOtherFloat) > elements((dtype) => dtype === 'float32');
}

function twinOf(model: Model): Model {
  const { proto } = model;
  const graph = buildGraph(proto);
  const read = (source: InitializerSource): Tensor =>
    isView(source) ? readTensor(proto.source, source, { modelDir: model.dir }) : source;
  const isOther = usesOtherFloats(model);
  if (isOther) widenAll(model, graph, read);
  const { operators, isPlain } = inPairs(graph, model.opset, read);
  const isQuantised = addMasters(graph, read);
  // Where nothing can be trained, the file's own operators tell why.
  if (
    !isOther &&
    !isQuantised &&
    ((operators.length === 0 && isPlain) || findParameters(graph).parameters.length === 0)
  )
    return model;
  const twin = scan(fromBytes(editedBytes(proto, withoutStatedTypes(model, graph)), model.name));
  return { ...model, proto: twin, stored: model, integerOperators: operators };
}

/** Functions are inlined and bodies opened before, so that everything is in reach. */
function widenAll(model: Model, graph: Graph, read: Read): void {
  inlineFunctions(model, graph);
  openStructures(model, graph, model.opset);
  refuseClosed(graph);
  widenGraph(graph, read);
  for (const value of new Set([...graph.inputs, ...graph.outputs])) retype(graph, value);
}

type Read = (source: InitializerSource) => Tensor;

function widenGraph(graph: Graph, read: Read): void {
  for (const [value, source] of [...graph.initializers]) {
    if (!isOtherFloat(source.dtype)) continue;
    graph.initializers.set(value, inFloat32(read(source)));
    value.dtype = 'float32';
  }
  for (const node of [...graph.nodes]) {
    for (const body of node.bodies.values()) widenBody(body, read);
    widenNode(graph, node, read);
  }
}

function widenBody(body: Graph, read: Read): void {
  widenGraph(body, read);
  for (const value of [...body.inputs, ...body.outputs]) if (isOtherFloat(value.dtype)) value.dtype = 'float32';
}

/** Casts and other operators that state their type; all others follow their inputs. */
function widenNode(graph: Graph, node: Node, read: Read): void {
  const changed = new Map<string, AttributeInit>();
  for (const name of ['to', 'dtype', 'softmax_precision']) {
    const value = node.attributes.get(name);
    if (value?.type === 'int' && OTHERS.has(value.value)) changed.set(name, int(FLOAT32));
  }
  const tensor = node.attributes.get('value');
  if (tensor?.type === 'tensor' && isOtherFloat(tensor.value.dtype))
    changed.set('value', { type: 'tensor', value: inFloat32(read(tensor.value)) });
  if (changed.size === 0) return;
  const { opType, domain, inputs, outputs, bodies } = node;
  const attributes = new Map([...node.attributes, ...changed]);
  for (const output of outputs) if (output) output.dtype = 'float32';
  graph.replaceNode(node, { opType, domain, inputs, outputs, attributes, bodies });
}

function retype(graph: Graph, value: Value): void {
  const info = graph.infos.get(value);
  if (!isOtherFloat(info?.type?.dtype)) return;
  value.dtype = 'float32';
  value.shape = info?.type?.shape;
  graph.infos.delete(value);
}

/** The graph as an edit, without value infos and listed initializers that state an outdated type. */
function withoutStatedTypes({ proto }: Model, graph: Graph): ModelEdit {
  const { valueInfos, inputs } = proto.graph;
  const edit = graphEdit(proto, graph);
  const changed = new Set([...graph.initializers].filter(([, source]) => !isView(source)).map(([{ name }]) => name));
  const stated = [...valueInfos, ...inputs]
    .filter(({ name, type }) => isOtherFloat(type?.dtype) || changed.has(name))
    .map(({ span }) => span);
  return { ...edit, removals: [...new Set([...(edit.removals ?? []), ...stated])] };
}

function refuseClosed(graph: Graph): void {
  const closed = graph.nodes.find(({ attributes }) =>
    [...attributes.values()].some(({ type }) => type === 'graph' || type === 'graphs'),
  );
  if (closed === undefined) return;
  throw new LossgraftError({
    code: 'other-precision',
    where: describeNode(closed),
    expected: 'bodies of tensors in a model that is not in float32',
    found: 'a body with sequences or sparse tensors',
    hint: 'Convert the model to float32, train it, and convert the result',
  });
}
