import { onnx } from '../onnx/models.ts';

type Graph = NonNullable<ReturnType<typeof onnx.ModelProto.decode>['graph']>;
type GraphNode = NonNullable<Graph['node']>[number];
type ValueInfo = NonNullable<Graph['input']>[number];
type TensorProto = NonNullable<Graph['initializer']>[number];

/** A file as the package onnx-proto reads it, which knows nothing of our own codec. */
export interface OnnxFile {
  /** Nodes in the bodies of Loop and If included. */
  readonly nodes: readonly {
    readonly op: string;
    readonly domain: string;
    readonly name: string;
    readonly made: readonly string[];
  }[];
  /** Every name that stands for a new tensor: inputs, initializers and results, in bodies too. */
  readonly defined: readonly string[];
  /** `float32 [N, 3]` by name. */
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly weights: ReadonlyMap<string, readonly number[]>;
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
}

export function readOnnx(bytes: Uint8Array): OnnxFile {
  const model = onnx.ModelProto.decode(bytes);
  const graph = model.graph;
  if (!graph) throw new Error('no graph');
  const graphs = [...withBodies(graph as Graph)];
  const types = (infos: readonly ValueInfo[] | null | undefined) =>
    Object.fromEntries((infos ?? []).map((info) => [info.name ?? '', typeOf(info)]));
  return {
    nodes: graphs.flatMap(({ node }) =>
      (node ?? []).map(({ opType, domain, name, output }) => ({
        op: opType ?? '',
        domain: domain ?? '',
        name: name ?? '',
        made: output ?? [],
      })),
    ),
    defined: graphs.flatMap(definitions),
    inputs: types(graph.input),
    outputs: types(graph.output),
    weights: new Map([...tensorsOf(graph as Graph)].map(([name, tensor]) => [name, numbersOf(tensor)])),
    opsets: Object.fromEntries((model.opsetImport ?? []).map(({ domain, version }) => [domain ?? '', Number(version)])),
    metadata: Object.fromEntries((model.metadataProps ?? []).map(({ key, value }) => [key ?? '', value ?? ''])),
  };
}

function* withBodies(graph: Graph): Generator<Graph> {
  yield graph;
  for (const { attribute } of graph.node ?? []) {
    for (const { g } of attribute ?? []) if (g) yield* withBodies(g as Graph);
  }
}

function definitions({ input, initializer, node }: Graph): string[] {
  const own = [...(input ?? []), ...(initializer ?? [])].map(({ name }) => name ?? '');
  const made = (node ?? []).flatMap(({ output }: GraphNode) => output ?? []);
  return [...own, ...made].filter((name) => name !== '');
}

const TYPES = new Map([
  [1, 'float32'],
  [7, 'int64'],
  [9, 'bool'],
]);

function typeOf({ type }: ValueInfo): string {
  const { elemType, shape } = type?.tensorType ?? {};
  const dims = shape?.dim?.map(({ dimParam, dimValue }) => dimParam || String(dimValue ?? '?')) ?? ['rank unknown'];
  return `${TYPES.get(elemType ?? 0) ?? elemType} [${dims.join(', ')}]`;
}

/** Initializers, and what Constant nodes hold. */
function* tensorsOf({ initializer, node }: Graph): Generator<[string, TensorProto]> {
  for (const tensor of initializer ?? []) yield [tensor.name ?? '', tensor as TensorProto];
  for (const { opType, output, attribute } of node ?? []) {
    const tensor = opType === 'Constant' ? attribute?.find(({ name }) => name === 'value')?.t : undefined;
    if (tensor) yield [output?.[0] ?? '', tensor as TensorProto];
  }
}

function numbersOf({ rawData, floatData, dataType }: TensorProto): number[] {
  if (dataType !== 1) return [];
  if (!rawData || rawData.length === 0) return [...(floatData ?? [])];
  const bytes = Uint8Array.from(rawData);
  return [...new Float32Array(bytes.buffer)];
}
