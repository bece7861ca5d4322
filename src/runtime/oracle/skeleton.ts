import { graphEdit, isOutside, isView, valueInit } from '../../ir/edit.ts';
import { COMPOSITE_DOMAIN, type Graph, type Node, type Value } from '../../ir/graph.ts';
import { fromNumbers } from '../../numbers.ts';
import type {
  AttributeInit,
  InitializerInit,
  ModelEdit,
  ModelProto,
  NodeInit,
  Span,
  TensorProto,
  ValueInit,
} from '../../onnx/types.ts';
import type { DataType, Tensor } from '../../tensor.ts';
import { isBfloat16, makesBfloat16 } from './bfloat16.ts';
import { thinned } from './thin.ts';

/** Constants up to this size stay in the skeleton, because shapes may depend on them; larger ones become inputs. */
const KEPT_BYTES = 1024;

/** Element types supported by ONNX Runtime's Node binding; others cannot be inputs of a session. */
const CARRIED = new Set<DataType | undefined>([
  'float32',
  'float64',
  'float16',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
]);

export function isCarried(dtype: DataType | undefined): boolean {
  return CARRIED.has(dtype);
}

/** The outputs of a skeleton, and the facts added to it. */
export interface SkeletonRequest {
  /** Values that become outputs, listed without a type. */
  readonly outputs: readonly string[];
  /** Added nodes. */
  readonly nodes?: readonly NodeInit[];
  readonly initializers?: readonly InitializerInit[];
  /** Types that ONNX Runtime cannot infer. */
  readonly known?: readonly ValueInit[];
  /** Values that are constant although nodes compute them. */
  readonly given?: ReadonlyMap<Value, Tensor>;
  /** Heavy constants become inputs by default; as zeros, a node makes them when the skeleton runs, and only indices keep their elements. */
  readonly heavy?: 'inputs' | 'zeros';
  /** The values that become inputs of known type, and the nodes that are then left out. */
  readonly cut?: { readonly values: readonly Value[]; readonly removed: ReadonlySet<Node> };
}

/**
 * The current graph as an edit without large payloads. bfloat16, for which the CPU provider has almost no kernels, becomes float32, with
 * the same shapes. Sizes in value infos and declared outputs are left out, because the runtime need not keep them.
 */
export function skeletonEdit(model: ModelProto, graph: Graph, request: SkeletonRequest): ModelEdit {
  const { outputs, nodes = [], known = [], given = new Map(), heavy = 'inputs', cut } = request;
  const current = graphEdit(model, graph);
  const constants = [...given].filter(([{ producer }]) => producer?.proto);
  const dropped = [...constants.map(([{ producer }]) => producer), ...(cut?.removed ?? [])];
  const thin = heavy === 'zeros' ? thinned(graph, (weights) => isZeros(graph, weights)) : [];
  const stands = [
    ...standInInitializers(model, graph, heavy, new Set(thin.map(({ node }) => node))),
    ...thin.map(({ node, ...stand }) => ({ removals: node.proto ? [node.proto.span] : [], inputs: [], ...stand })),
    ...standInNodes(graph, given, heavy, cut?.removed),
    ...bfloat16Inputs(graph),
    ...standInComposites(graph),
    { removals: [], inputs: (cut?.values ?? []).map(valueInit), nodes: [] },
  ];
  const removals = new Set<Span>([
    ...(current.removals ?? []),
    ...dropped.flatMap((node) => node?.proto?.span ?? []),
    ...[...model.graph.outputs, ...model.graph.valueInfos].map(({ span }) => span),
    ...stands.flatMap((stand) => stand.removals),
  ]);
  const names = new Set(stands.flatMap((stand) => stand.inputs.map(({ name }) => name)));
  const gone = new Set([...(cut?.removed ?? [])].map(({ name }) => name));
  const isKept = (node: NodeInit) => node.domain !== COMPOSITE_DOMAIN && !gone.has(node.name);
  return {
    ...current,
    inputs: [
      ...(current.inputs ?? []).filter(({ name }) => !names.has(name)),
      ...stands.flatMap((stand) => stand.inputs),
    ].map(asFloat32),
    outputs: [],
    initializers: [
      ...(current.initializers ?? []),
      ...constants.map(([{ name }, tensor]) => ({ name, tensor })),
      ...stands.flatMap((stand) => stand.initializers ?? []),
      ...(request.initializers ?? []),
    ],
    removals: [...removals],
    replacements: (current.replacements ?? []).filter(isOutside([...removals])),
    nodes: [...stands.flatMap((stand) => stand.nodes), ...(current.nodes ?? []).filter(isKept), ...nodes],
    nodesBefore: (current.nodesBefore ?? []).map((added) => ({ ...added, nodes: added.nodes.filter(isKept) })),
    untypedOutputs: outputs,
    valueInfos: known.map(asFloat32),
  };
}

function asFloat32(value: ValueInit): ValueInit {
  return value.dtype === 'bfloat16' ? { ...value, dtype: 'float32' } : value;
}

/** The replacement of a field in the file. */
interface StandIn {
  readonly removals: readonly Span[];
  readonly inputs: readonly ValueInit[];
  readonly nodes: readonly NodeInit[];
  readonly initializers?: readonly InitializerInit[];
}

type Heavy = NonNullable<SkeletonRequest['heavy']>;

function isZeros(graph: Graph, weights: Value): boolean {
  const source = graph.initializers.get(weights);
  return source !== undefined && isView(source) && isZeroed(source) && CARRIED.has(source.dtype);
}

/** @param thin nodes that no longer read weights. */
function standInInitializers(model: ModelProto, graph: Graph, heavy: Heavy, thin: ReadonlySet<Node>): StandIn[] {
  const listed = new Map(model.graph.inputs.map((info) => [info.name, info]));
  const kept = new Set([...graph.initializers.values()]);
  return model.graph.initializers.flatMap((tensor) => {
    const { name, dtype, dims } = tensor;
    if (!kept.has(tensor) || !(isHeavy(tensor) || dtype === 'bfloat16')) return [];
    const info = listed.get(name);
    const isListed = info !== undefined && graph.irVersion === undefined;
    if (heavy === 'inputs' && isListed && dtype !== 'bfloat16' && CARRIED.has(dtype))
      return [{ removals: [tensor.span], inputs: [], nodes: [] }];
    const input = inputOf(name, dtype, dims);
    const removals = [tensor.span, ...(info ? [info.span] : [])];
    const value = graph.values.get(name);
    const uses = [...(value?.uses ?? [])];
    const isUnread = (use: Node): boolean => thin.has(use) && use.inputs.every((read, i) => read !== value || i === 1);
    if (uses.length > 0 && uses.every(isUnread)) {
      return [{ removals, inputs: [], nodes: [] }];
    }
    return input ? standIn(input, removals, heavy) : [];
  });
}

/** An input, or zeros; indices, lengths and conditions keep their elements if the skeleton runs. */
function standIn(input: ValueInit, removals: readonly Span[], heavy: Heavy): StandIn[] {
  if (heavy === 'inputs') return [{ removals, inputs: [input], nodes: [] }];
  const { name, dtype } = input;
  const dims = input.shape.map(Number);
  const zero = fromNumbers([0], dtype);
  if (KEPT_TYPES.has(dtype) || zero === undefined) return [];
  const shape = `lossgraft/dims_of/${name}`;
  const attributes = new Map([['value', { type: 'tensor', value: { dtype, dims: [1], data: zero } } as const]]);
  const node = { name: shape, opType: 'ConstantOfShape', inputs: [shape], outputs: [name], attributes };
  const data = BigInt64Array.from(dims, BigInt);
  const initializers = [{ name: shape, tensor: { dtype: 'int64', dims: [dims.length], data } } as const];
  return [{ removals, inputs: [], nodes: [node], initializers }];
}

const KEPT_TYPES = new Set<DataType>(['int32', 'int64', 'bool']);

function inputOf(name: string, dtype: DataType | undefined, shape: readonly number[]): ValueInit | undefined {
  if (dtype === 'bfloat16') return { name, dtype: 'float32', shape };
  return dtype !== undefined && CARRIED.has(dtype) ? { name, dtype, shape } : undefined;
}

/** Constant nodes with heavy tensors, and nodes that make bfloat16. */
function standInNodes(
  graph: Graph,
  given: ReadonlyMap<Value, Tensor>,
  heavy: Heavy,
  removed: ReadonlySet<Node> = new Set(),
): StandIn[] {
  return graph.nodes.flatMap((node): StandIn[] => {
    const span = node.proto?.span;
    const name = node.outputs[0]?.name;
    const [output] = node.outputs;
    const isGone = removed.has(node) || (output !== undefined && given.has(output));
    if (!span || name === undefined || node.domain !== '' || isGone) return [];
    const constant = node.opType === 'Constant' ? tensorOf(node) : undefined;
    if (constant && (isHeavy(constant) || constant.dtype === 'bfloat16')) {
      const input = inputOf(name, constant.dtype, constant.dims);
      return input ? standIn(input, [span], heavy) : [];
    }
    return makesBfloat16(node) ? [{ removals: [span], inputs: [], nodes: [float32Node(node)] }] : [];
  });
}

/** ONNX Runtime does not know composites: their outputs become inputs of known type. */
function standInComposites(graph: Graph): StandIn[] {
  const composites = graph.nodes.filter(({ domain }) => domain === COMPOSITE_DOMAIN);
  return composites.map(({ outputs }) => ({
    removals: [],
    inputs: outputs.flatMap((value) => (value ? [valueInit(value)] : [])),
    nodes: [],
  }));
}

/** The same node producing float32: a Cast to it, or a ConstantOfShape with its default, zero. */
function float32Node(node: Node): NodeInit {
  const attributes = new Map<string, AttributeInit>(node.opType === 'Cast' ? [['to', { type: 'int', value: 1n }]] : []);
  const names = (values: Node['inputs']) => values.map((value) => value?.name ?? '');
  return { name: node.name, opType: node.opType, inputs: names(node.inputs), outputs: names(node.outputs), attributes };
}

function bfloat16Inputs(graph: Graph): StandIn[] {
  return graph.inputs.flatMap((value) => {
    const info = graph.infos.get(value);
    if (!isBfloat16(value) || !info || value.shape === undefined) return [];
    return [
      {
        removals: [info.span],
        inputs: [{ name: value.name, dtype: 'float32', shape: value.shape } as const],
        nodes: [],
      },
    ];
  });
}

function tensorOf(node: Node): TensorProto | undefined {
  const value = node.attributes.get('value');
  return value?.type === 'tensor' && isView(value.value) ? value.value : undefined;
}

/** Whether a rehearsal has zeros in a constant's place. */
export function isZeroed(tensor: TensorProto): boolean {
  return isHeavy(tensor) && !(tensor.dtype && KEPT_TYPES.has(tensor.dtype));
}

function isHeavy({ payload }: TensorProto): boolean {
  if (payload.kind === 'external') return true;
  if (payload.kind === 'raw') return payload.length > KEPT_BYTES;
  return payload.fields.reduce((bytes, field) => bytes + field.end - field.start, 0) > KEPT_BYTES;
}
