import { graphEdit, isView, valueInit } from '../../ir/edit.ts';
import { COMPOSITE_DOMAIN, type Graph, type Node, type Value } from '../../ir/graph.ts';
import type { AttributeInit, ModelEdit, ModelProto, NodeInit, Span, TensorProto, ValueInit } from '../../onnx/types.ts';
import type { DataType, Tensor } from '../../tensor.ts';
import { isBfloat16, makesBfloat16 } from './bfloat16.ts';

/** Constants up to this size stay in the skeleton, since shapes may depend on them; larger ones become inputs. */
const KEPT_BYTES = 1024;

/** Element types of which ONNX Runtime's Node binding has tensors; others cannot be inputs of a session. */
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

/**
 * The graph as it stands now, as an edit that leaves no large payload in it: heavy constants are inputs. bfloat16, for which the CPU
 * provider has next to no kernels, is float32 in it: shapes are the same.
 *
 * @param outputs are listed without a type.
 * @param nodes are added.
 * @param known types that ONNX Runtime would not find out.
 * @param given values that are constants, though nodes compute them.
 */
export function skeletonEdit(
  model: ModelProto,
  graph: Graph,
  outputs: readonly string[],
  nodes: readonly NodeInit[],
  known: readonly ValueInit[],
  given: ReadonlyMap<Value, Tensor> = new Map(),
): ModelEdit {
  const current = graphEdit(model, graph);
  const constants = [...given].filter(([{ producer }]) => producer?.proto);
  const computed = constants.flatMap(([{ producer }]) => producer?.proto?.span ?? []);
  const stands = [
    ...standInInitializers(model, graph),
    ...standInNodes(graph, given),
    ...bfloat16Inputs(graph),
    ...standInComposites(graph),
  ];
  const stale = [...model.graph.outputs, ...model.graph.valueInfos.filter(({ type }) => type?.dtype === 'bfloat16')];
  const removals = new Set<Span>([
    ...(current.removals ?? []),
    ...computed,
    ...stale.map(({ span }) => span),
    ...stands.flatMap((stand) => stand.removals),
  ]);
  const names = new Set(stands.flatMap((stand) => stand.inputs.map(({ name }) => name)));
  return {
    ...current,
    inputs: [
      ...(current.inputs ?? []).filter(({ name }) => !names.has(name)),
      ...stands.flatMap((stand) => stand.inputs),
    ].map(asFloat32),
    outputs: [],
    initializers: [...(current.initializers ?? []), ...constants.map(([{ name }, tensor]) => ({ name, tensor }))],
    removals: [...removals],
    replacements: (current.replacements ?? []).filter(({ span }) => !isWithin(span, removals)),
    nodes: [...stands.flatMap((stand) => stand.nodes), ...(current.nodes ?? []).filter(isStandard), ...nodes],
    nodesBefore: (current.nodesBefore ?? []).map((added) => ({ ...added, nodes: added.nodes.filter(isStandard) })),
    untypedOutputs: outputs,
    valueInfos: known.map(asFloat32),
  };
}

function isWithin(inner: Span, spans: ReadonlySet<Span>): boolean {
  return [...spans].some(({ start, end }) => start <= inner.start && inner.end <= end);
}

function asFloat32(value: ValueInit): ValueInit {
  return value.dtype === 'bfloat16' ? { ...value, dtype: 'float32' } : value;
}

/** What takes the place of something in the file. */
interface StandIn {
  readonly removals: readonly Span[];
  readonly inputs: readonly ValueInit[];
  readonly nodes: readonly NodeInit[];
}

function standInInitializers(model: ModelProto, graph: Graph): StandIn[] {
  const listed = new Map(model.graph.inputs.map((info) => [info.name, info]));
  const kept = new Set([...graph.initializers.values()]);
  return model.graph.initializers.flatMap((tensor) => {
    const { name, dtype, dims } = tensor;
    if (!kept.has(tensor) || !(isHeavy(tensor) || dtype === 'bfloat16')) return [];
    const info = listed.get(name);
    const isListed = info !== undefined && graph.irVersion === undefined;
    if (isListed && dtype !== 'bfloat16' && CARRIED.has(dtype))
      return [{ removals: [tensor.span], inputs: [], nodes: [] }];
    const input = inputOf(name, dtype, dims);
    return input ? [{ removals: [tensor.span, ...(info ? [info.span] : [])], inputs: [input], nodes: [] }] : [];
  });
}

function inputOf(name: string, dtype: DataType | undefined, shape: readonly number[]): ValueInit | undefined {
  if (dtype === 'bfloat16') return { name, dtype: 'float32', shape };
  return dtype !== undefined && CARRIED.has(dtype) ? { name, dtype, shape } : undefined;
}

/** Constant nodes with heavy tensors, and nodes that make bfloat16. */
function standInNodes(graph: Graph, given: ReadonlyMap<Value, Tensor>): StandIn[] {
  return graph.nodes.flatMap((node): StandIn[] => {
    const span = node.proto?.span;
    const name = node.outputs[0]?.name;
    const [output] = node.outputs;
    if (!span || name === undefined || node.domain !== '' || (output && given.has(output))) return [];
    const constant = node.opType === 'Constant' ? tensorOf(node) : undefined;
    if (constant && (isHeavy(constant) || constant.dtype === 'bfloat16')) {
      const input = inputOf(name, constant.dtype, constant.dims);
      return input ? [{ removals: [span], inputs: [input], nodes: [] }] : [];
    }
    return makesBfloat16(node) ? [{ removals: [span], inputs: [], nodes: [float32Node(node)] }] : [];
  });
}

/** ONNX Runtime knows no composites: what they give is an input, of the type that it is known to have. */
function standInComposites(graph: Graph): StandIn[] {
  const composites = graph.nodes.filter(({ domain }) => domain === COMPOSITE_DOMAIN);
  return composites.map(({ outputs }) => ({
    removals: [],
    inputs: outputs.flatMap((value) => (value ? [valueInit(value)] : [])),
    nodes: [],
  }));
}

function isStandard({ domain }: NodeInit): boolean {
  return domain !== COMPOSITE_DOMAIN;
}

/** The same node making float32: a Cast to it, or a ConstantOfShape of its default, zero. */
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

function isHeavy({ payload }: TensorProto): boolean {
  if (payload.kind === 'external') return true;
  if (payload.kind === 'raw') return payload.length > KEPT_BYTES;
  return payload.fields.reduce((bytes, field) => bytes + field.end - field.start, 0) > KEPT_BYTES;
}
