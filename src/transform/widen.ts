import { LossgraftError } from '../errors.ts';
import { fromBytes } from '../files/bytes.ts';
import { describeNode, int } from '../ir/attributes.ts';
import { buildGraph } from '../ir/build.ts';
import { graphEdit, isView } from '../ir/edit.ts';
import type { Graph, InitializerSource, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { inFloat32 } from '../numbers.ts';
import { editedBytes, readTensor, scan } from '../onnx/index.ts';
import type { AttributeInit, ModelEdit } from '../onnx/types.ts';
import { type DataType, isOtherFloat, type Tensor } from '../tensor.ts';

/** float16, bfloat16 and float64 in TensorProto.DataType. */
const OTHERS = new Set<bigint>([10n, 16n, 11n]);
const FLOAT32 = 1;

/**
 * A model in float16, bfloat16 or float64 as it is trained: the same network in float32, from the same weights. Every name stays, so what is
 * trained is written back under it, in the file's own type. Gradients need no loss scaling, since nothing is computed in half precision.
 * Any other model is returned as it is.
 *
 * @throws LossgraftError `other-precision` where the model has functions, or nodes with bodies.
 */
export function widened(model: Model): Model {
  const known = twins.get(model);
  if (known) return known;
  const twin = usesOtherFloats(model) ? twinOf(model) : model;
  twins.set(model, twin);
  return twin;
}

const twins = new WeakMap<Model, Model>();

/** What the user should know of a model that is trained in another precision than its own. */
export function wideningNotes(model: Model): string[] {
  const own = storedAs(model).join(' and ');
  if (own === '') return [];
  return [`The model is in ${own}: it trains in float32, and the trained weights go back into its file as ${own}`];
}

/** The float types of a widened model's file; none of another model. */
export function storedAs({ stored }: Model): readonly DataType[] {
  const { initializers = [], nodes = [] } = stored?.proto.graph ?? {};
  const constants = nodes.flatMap(({ attributes }) => attributes.get('value') ?? []);
  const tensors = [...initializers, ...constants.flatMap((each) => (each.type === 'tensor' ? each.value : []))];
  return [...new Set(tensors.flatMap(({ dtype }) => (dtype !== undefined && isOtherFloat(dtype) ? dtype : [])))];
}

function usesOtherFloats({ proto: { graph } }: Model): boolean {
  const stated = [...graph.inputs, ...graph.outputs].map(({ type }) => type?.dtype);
  const stored = graph.initializers.map(({ dtype }) => dtype);
  const constants = graph.nodes.flatMap(({ attributes }) => {
    const value = attributes.get('value');
    return value?.type === 'tensor' ? [value.value.dtype] : [];
  });
  return [...stated, ...stored, ...constants].some(isOtherFloat);
}

function twinOf(model: Model): Model {
  const { proto } = model;
  const graph = buildGraph(proto);
  refuseInside(model, graph);
  const read = (source: InitializerSource): Tensor =>
    isView(source) ? readTensor(proto.source, source, { modelDir: model.dir }) : source;
  for (const [value, source] of [...graph.initializers]) {
    if (!isOtherFloat(source.dtype)) continue;
    graph.initializers.set(value, inFloat32(read(source)));
    value.dtype = 'float32';
  }
  for (const node of [...graph.nodes]) widenNode(graph, node, read);
  for (const value of new Set([...graph.inputs, ...graph.outputs])) retype(graph, value);
  const twin = scan(fromBytes(editedBytes(proto, withoutStatedTypes(model, graphEdit(proto, graph))), model.name));
  return { ...model, proto: twin, stored: model };
}

/** Casts and what else states its own type; all other operators follow their inputs. */
function widenNode(graph: Graph, node: Node, read: (source: InitializerSource) => Tensor): void {
  const changed = new Map<string, AttributeInit>();
  for (const name of ['to', 'dtype']) {
    const value = node.attributes.get(name);
    if (value?.type === 'int' && OTHERS.has(value.value)) changed.set(name, int(FLOAT32));
  }
  const tensor = node.attributes.get('value');
  if (tensor?.type === 'tensor' && isOtherFloat(tensor.value.dtype))
    changed.set('value', { type: 'tensor', value: inFloat32(read(tensor.value)) });
  if (changed.size === 0) return;
  const { opType, domain, inputs, outputs } = node;
  const attributes = new Map([...node.attributes, ...changed]);
  for (const output of outputs) if (output) output.dtype = 'float32';
  graph.replaceNode(node, { opType, domain, inputs, outputs, attributes });
}

function retype(graph: Graph, value: Value): void {
  const info = graph.infos.get(value);
  if (!isOtherFloat(info?.type?.dtype)) return;
  value.dtype = 'float32';
  value.shape = info?.type?.shape;
  graph.infos.delete(value);
}

/** Value infos, and initializers listed among the inputs, that state such a type are left out. */
function withoutStatedTypes({ proto }: Model, edit: ModelEdit): ModelEdit {
  const { valueInfos, inputs } = proto.graph;
  const stated = [...valueInfos, ...inputs].filter(({ type }) => isOtherFloat(type?.dtype)).map(({ span }) => span);
  return { ...edit, removals: [...new Set([...(edit.removals ?? []), ...stated])] };
}

function refuseInside({ name, proto }: Model, graph: Graph): void {
  const [called] = proto.functions;
  const node = graph.nodes.find(({ attributes }) =>
    [...attributes.values()].some(({ type }) => type === 'graph' || type === 'graphs'),
  );
  if (called === undefined && node === undefined) return;
  throw new LossgraftError({
    code: 'other-precision',
    where: node ? describeNode(node) : `${name}, function ${called?.name}`,
    expected: 'a model without functions and bodies of nodes, since it is not in float32',
    found: node ? 'a body' : 'a function',
    hint: 'Convert the model to float32, train it, and convert the result; functions can also be inlined with onnx.inliner',
  });
}
