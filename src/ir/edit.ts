import { LossgraftError } from '../errors.ts';
import { renamedInitializer, rewireNode } from '../onnx/index.ts';
import type {
  AttributeInit,
  GraphInit,
  InitializerInit,
  ModelEdit,
  ModelProto,
  NodeInit,
  NodeProto,
  NodesBefore,
  RawInitializer,
  Replacement,
  Span,
  TensorProto,
  UntypedInit,
  ValueInit,
} from '../onnx/types.ts';
import type { Tensor } from '../tensor.ts';
import { describeNode } from './attributes.ts';
import type { Graph, InitializerSource, Node, Value } from './graph.ts';

/** The changes that turn the file of `model` into `graph`: the difference, and nothing else. */
export function graphEdit(model: ModelProto, graph: Graph): ModelEdit {
  const kept = new Set<object>();
  for (const node of graph.nodes) if (node.proto) kept.add(node.proto);
  for (const [{ name }, source] of graph.initializers) if (isView(source) && source.name === name) kept.add(source);
  for (const value of [...graph.inputs, ...graph.outputs]) keepInfo(graph, value, kept);
  const removals: Span[] = [];
  const { nodes, initializers, inputs, outputs } = model.graph;
  for (const field of [...nodes, ...initializers, ...outputs]) if (!kept.has(field)) removals.push(field.span);
  // Up to IR 3 every initializer is listed among the inputs; from 4 on that would make it a default that can be fed.
  const relisted = graph.irVersion === undefined || model.irVersion > 3;
  for (const info of inputs) {
    const value = graph.values.get(info.name);
    const listedInitializer = relisted && value !== undefined && graph.initializers.has(value);
    if (!kept.has(info) && !listedInitializer) removals.push(info.span);
  }
  return {
    ...placedNodes(graph),
    initializers: [...graph.initializers].flatMap(([value, source]) => newInitializer(model, value, source) ?? []),
    inputs: [
      ...graph.inputs.filter((value) => !kept.has(graph.infos.get(value) ?? value)).map(valueInit),
      ...(model.irVersion > 3 || graph.irVersion !== undefined ? [] : listedInitializers(model, graph)),
    ],
    outputs: graph.outputs.filter((value) => !kept.has(graph.infos.get(value) ?? value)).map(valueInit),
    opsetImports: graph.opsetImports,
    ...(graph.irVersion === undefined ? {} : { irVersion: graph.irVersion }),
    removals,
    replacements: rewired(model, graph).filter(isOutside(removals)),
  };
}

/** New initializers that IR 3 requires among the inputs. Replacements are listed there already. */
function listedInitializers(model: ModelProto, graph: Graph): ValueInit[] {
  const listed = new Set(model.graph.inputs.map(({ name }) => name));
  return [...graph.initializers].flatMap(([{ name }, source]) =>
    listed.has(name) || (isView(source) && source.name === name)
      ? []
      : valueInit({ name, dtype: source.dtype, shape: source.dims }),
  );
}

/** New nodes after the file's last node, and those before one of the file's nodes. */
function placedNodes(graph: Graph): Required<Pick<ModelEdit, 'nodes' | 'nodesBefore'>> {
  const nodesBefore: NodesBefore[] = [];
  let nodes: NodeInit[] = [];
  for (const node of graph.nodes) {
    if (!node.proto) nodes.push(nodeInit(node));
    else if (nodes.length > 0) {
      nodesBefore.push({ before: node.proto.span, nodes });
      nodes = [];
    }
  }
  return { nodes, nodesBefore };
}

function keepInfo(graph: Graph, value: Value, kept: Set<object>): void {
  const info = graph.infos.get(value);
  if (info) kept.add(info);
}

/** Whether an initializer is a view in the user's file. */
export function isView(source: InitializerSource): source is TensorProto {
  return 'span' in source;
}

/** An initializer for the writer: a new tensor, or a copy of the file's under another name; `undefined` for the file's own. */
export function newInitializer(
  model: ModelProto,
  { name }: Value,
  source: InitializerSource,
): InitializerInit | RawInitializer | undefined {
  if (!isView(source)) return { name, tensor: source satisfies Tensor };
  return source.name === name ? undefined : { name, raw: renamedInitializer(model.source, source, name) };
}

/** The file's nodes that now read other values, and other patches; patches inside such a node are part of it. */
function rewired(model: ModelProto, graph: Graph): Replacement[] {
  const replacements: Replacement[] = [];
  const open = new Set(outermost(graph.patches));
  for (const node of graph.nodes) {
    if (!node.proto) continue;
    const inputs = node.inputs.map(nameOf);
    const outputs = node.outputs.map(nameOf);
    if (same(inputs, node.proto.inputs) && same(outputs, node.proto.outputs)) continue;
    const inside = patchesInside(graph, node.proto);
    for (const patch of inside) open.delete(patch);
    replacements.push({
      span: node.proto.span,
      bytes: rewireNode(model.source, node.proto, { inputs, outputs }, inside),
    });
  }
  return [...replacements, ...open];
}

/** The patches of the graph that lie inside a node of the file. */
export function patchesInside(graph: Graph, { span }: NodeProto): Replacement[] {
  return outermost(graph.patches.filter((patch) => patch.span.start >= span.body && patch.span.end <= span.end));
}

/** The outer ones of nested patches, and the later of two at one place. */
function outermost(patches: readonly Replacement[]): Replacement[] {
  const kept: Replacement[] = [];
  for (const patch of patches.toReversed().toSorted((a, b) => a.span.start - b.span.start || b.span.end - a.span.end)) {
    if (patch.span.end > (kept.at(-1)?.span.end ?? -1)) kept.push(patch);
  }
  return kept;
}

/** A test whether a position lies in none of these ranges. */
export function isOutside(ranges: readonly Span[]): (patch: { readonly span: Span }) => boolean {
  const sorted = ranges.toSorted((a, b) => a.start - b.start);
  return ({ span }) => {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sorted[middle]?.start ?? 0) <= span.start) low = middle + 1;
      else high = middle;
    }
    return span.end > (sorted[low - 1]?.end ?? -1);
  };
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name, i) => name === b[i]);
}

function nameOf(value: Value | undefined): string {
  return value?.name ?? '';
}

/** A node for the writer. */
export function nodeInit(node: Node): NodeInit {
  return {
    name: node.name,
    opType: node.opType,
    domain: node.domain,
    inputs: node.inputs.map(nameOf),
    outputs: node.outputs.map(nameOf),
    attributes: new Map([
      ...[...node.attributes].map(([name, value]) => [name, ownAttribute(node, name, value)] as const),
      ...[...node.bodies].map(([name, body]) => [name, { type: 'graph', value: bodyInit(name, body) }] as const),
    ]),
  };
}

/** A body for the writer; its caller supplies unknown types. */
function bodyInit(name: string, body: Graph): GraphInit {
  const port = (value: Value): ValueInit | UntypedInit =>
    value.dtype === undefined || value.shape === undefined ? { name: value.name } : valueInit(value);
  return {
    name,
    nodes: body.nodes.map(nodeInit),
    initializers: [...body.initializers].map(([value, source]) => ownInitializer(value, source)),
    inputs: body.inputs.map(port),
    outputs: body.outputs.map(port),
  };
}

function ownInitializer({ name }: Value, source: InitializerSource): InitializerInit {
  if (isView(source)) throw new Error(`the body's "${name}" is in the file`);
  return { name, tensor: source };
}

function ownAttribute(
  node: Node,
  name: string,
  value: Node['attributes'] extends ReadonlyMap<string, infer A> ? A : never,
): AttributeInit {
  const isOwn =
    value.type !== 'tensors' && value.type !== 'graphs' && value.type !== 'reference' && value.type !== 'other';
  if (
    isOwn &&
    !(value.type === 'tensor' && 'span' in value.value) &&
    !(value.type === 'graph' && 'span' in value.value)
  ) {
    return value as AttributeInit;
  }
  throw new LossgraftError({
    code: 'host-attribute',
    where: `${describeNode(node)}, attribute "${name}"`,
    expected: 'an attribute that a new node can have',
    found: `a ${value.type} of the original file`,
    hint: 'This is a bug in lossgraft; please report it',
  });
}

/** A typed input or output for the writer. @throws LossgraftError `untyped-value` if the type is unknown. */
export function valueInit(value: Pick<Value, 'name' | 'dtype' | 'shape'>): ValueInit {
  if (value.dtype === undefined || value.shape === undefined) {
    throw new LossgraftError({
      code: 'untyped-value',
      where: `tensor "${value.name}"`,
      expected: 'a known element type and rank, so that it can be an input or output',
      found: `${value.dtype ?? 'no type'}, ${value.shape ? 'known rank' : 'unknown rank'}`,
      hint: 'Run ONNX shape inference on the model, or name another tensor',
    });
  }
  return { name: value.name, dtype: value.dtype, shape: value.shape };
}
