import { findClassNames } from './classes/find.ts';
import { LossgraftError } from './errors.ts';
import type { Graph, Value } from './ir/graph.ts';
import { topologicalOrder } from './ir/order.ts';
import { type WebgpuCoverage, webgpuCoverage } from './lower/webgpu/coverage.ts';
import { manifestRecord } from './manifest.ts';
import { type Model, typedGraph } from './model.ts';
import type { TensorProto, ValueInfoProto } from './onnx/types.ts';
import type { OptionsOf } from './options/row.ts';
import { type CudaCoverage, cudaCoverage } from './runtime/cuda/coverage.ts';
import { adoptDeclared } from './runtime/oracle/restate.ts';
import { type StatedTask, statedTask } from './statedTask.ts';
import type { inspectRows } from './tables/inspect.ts';
import { type Dim, elementCount, isFloat } from './tensor.ts';
import type { GradientRules } from './transform/differentiate.ts';
import { findFeatures } from './transform/features.ts';
import { type HeadKind, isOneScore } from './transform/head.ts';
import { inlineFunctions } from './transform/inline.ts';
import { findLogits, modelHead, namedLogits } from './transform/logits.ts';
import { nodesBefore, operatorName, withoutRule } from './transform/missingRules.ts';
import { openStructures } from './transform/openBodies.ts';
import { findParameters } from './transform/parameters.ts';
import { TRAIN_OPSETS } from './transform/prepare.ts';
import { otherWeights, whyNoFloats } from './transform/quantised.ts';
import { namedFeatures } from './transform/splice.ts';
import { untie } from './transform/untie.ts';
import { storedAs, widened } from './transform/widen.ts';

export interface PortReport {
  readonly name: string;
  readonly dtype: string;
  /** Numbers, symbolic names, or null for unknown dimensions; null for an unknown rank. */
  readonly shape: readonly (number | string | null)[] | null;
}

/** Where a tensor was found, or why none was. */
export type Search =
  | { readonly name: string; readonly how: string; readonly shape: PortReport['shape'] }
  | { readonly problem: string };

export interface OpReport {
  readonly op: string;
  readonly count: number;
  /** What the CUDA provider does with it at this opset, in float32. */
  readonly cuda: CudaCoverage;
  /** What becomes of it on WebGPU, the same. */
  readonly webgpu: WebgpuCoverage;
}

/** What a model is, as plain data. */
export interface Inspection {
  readonly file: string;
  readonly bytes: number;
  readonly irVersion: number;
  readonly producer: string;
  readonly opsets: Readonly<Record<string, number>>;
  readonly inputs: readonly PortReport[];
  readonly outputs: readonly PortReport[];
  readonly nodes: number;
  readonly functions: number;
  /** The manifest of a file that lossgraft wrote; a `problem` if it is damaged, null in other files. */
  readonly manifest: Readonly<Record<string, unknown>> | null;
  /** Elements in initializers and in the tensors of Constant nodes that hold floats of two or more elements. */
  readonly parameters: number;
  readonly externalFiles: readonly string[];
  readonly classes: number | null;
  /**
   * The kind of its outputs, and the evidence; if the file does not state it, the usual kind of such scores. `null` in a file that
   * lossgraft wrote.
   */
  readonly head: { readonly kind: HeadKind; readonly isStated: boolean; readonly why: string } | null;
  /** The class names in the order of the scores, and their source. */
  readonly classNames: { readonly names: readonly string[]; readonly from: string } | null;
  /** Notes on the names, such as contradictory sources. */
  readonly classNotes: readonly string[];
  readonly logits: Search;
  readonly features: Search;
  readonly ops: readonly OpReport[];
  /** Trainable tensors: float32 weights that some operator reads as data. `leftOut` are read that way too, but do not count as weights. */
  readonly trainable: {
    readonly tensors: number;
    readonly elements: number;
    readonly leftOut: readonly { readonly name: string; readonly why: string }[];
    /** The types of the weights in the file, such as "uint8 and int8", if these are not float32, the type of training. */
    readonly storedAs: string | null;
    /** Weights that stay as they are, since they cannot be trained in their form. */
    readonly staying: readonly { readonly dtype: string; readonly elements: number }[];
    /** Why nothing in this file can be trained; `null` if something can. */
    readonly problem: string | null;
  };
  /** Operators between the weights and the logits that no gradient can pass: everything before them must stay frozen. */
  readonly missingGradientRules: readonly string[];
}

export type InspectOptions = OptionsOf<typeof inspectRows>;

/**
 * Reports what a model is: formats, inputs and outputs, logits and features with how they were found, operators and whether CUDA and
 * WebGPU have them.
 *
 * @throws LossgraftError if the model cannot be read, or ONNX Runtime refuses it.
 */
export async function inspect(model: Model, rules: GradientRules, options: InspectOptions = {}): Promise<Inspection> {
  const { proto } = model;
  const twin = trainedTwin(model);
  const graph = await typedGraph(model, [options.logits, options.features], (edited) => {
    inlineFunctions(model, edited);
  });
  adoptDeclared(graph);
  const trained = twin === model ? graph : await typedGraph(twin, [options.logits, options.features]);
  const manifest = manifestRecord(proto);
  const logits = search(() => {
    if (options.logits !== undefined) return namedLogits(graph, options.logits, model.opset);
    return (
      placeIn(graph, manifest?.logits) ?? (manifest?.kind === 'train' ? undefined : findLogits(graph, model.opset))
    );
  });
  const features = search(() => {
    if (options.features !== undefined)
      return namedFeatures(graph.values.has(options.features) ? graph : trained, options.features, false);
    if ('problem' in logits) return undefined;
    const found = placeIn(graph, manifest?.features);
    // What integer operators mean is written with floats: there features are found as in training.
    const own = twin.stored && trained.values.has(logits.name) ? trained : graph;
    return found ?? findFeatures(own, own.value(logits.name));
  });
  const stated = typeof manifest?.classes === 'number' ? manifest.classes : undefined;
  const classes = 'problem' in logits ? stated : (stated ?? classCount(graph.value(logits.name)));
  const { names, notes } = findClassNames({ proto, dir: model.dir, classes });
  return {
    file: model.name,
    bytes: proto.source.size,
    irVersion: proto.irVersion,
    producer: [proto.producerName, proto.producerVersion].filter((part) => part !== '').join(' '),
    opsets: Object.fromEntries([...proto.opsetImports].map(([domain, version]) => [domain || 'ai.onnx', version])),
    inputs: graph.inputs.map((value) => port(graph, value.name)),
    outputs: graph.outputs.map((value) => port(graph, value.name)),
    nodes: graph.nodes.length,
    functions: proto.functions.length,
    manifest,
    parameters: parameterCount(graph, proto.graph.initializers),
    externalFiles: externalFiles(proto.graph.initializers),
    classes: classes ?? null,
    classNames: names === undefined ? null : { names: names.names, from: names.from },
    classNotes: notes,
    head: manifest === null ? headReport(graph, model.opset, statedTask(model)) : null,
    logits,
    features,
    ops: operators(graph, model.opset),
    ...training(twin, trained, rules, 'problem' in logits ? undefined : trained.values.get(logits.name)),
  };
}

/** The number of classes of scores; one score per sample distinguishes two classes. */
function classCount({ shape }: Value): number | undefined {
  if (shape !== undefined && isOneScore(shape)) return 2;
  const width = shape?.[1];
  return typeof width === 'number' ? width : undefined;
}

function headReport(graph: Graph, opset: number, stated: StatedTask | undefined): Inspection['head'] {
  const { kind, isStated, why } = modelHead(graph, opset);
  if (kind === 'softmax' && !isStated && stated?.task === 'multi-label')
    return { kind: 'sigmoid-multi-label', isStated: true, why: `${stated.from} says so: a multi-label head` };
  return { kind, isStated, why };
}

/** A tensor named by the manifest of an augmented model or a training graph, if the graph still has it. */
function placeIn(graph: Graph, place: unknown): { value: Value; how: string } | undefined {
  if (typeof place !== 'object' || place === null || !('name' in place)) return undefined;
  const value = graph.values.get(String(place.name));
  return value && { value, how: 'named in its manifest' };
}

function search(
  find: () => { value: { name: string; shape: readonly Dim[] | undefined }; how: string } | undefined,
): Search {
  try {
    const found = find();
    if (!found) return { problem: 'not searched for, because this graph has no logits' };
    return { name: found.value.name, how: found.how, shape: plainShape(found.value.shape) };
  } catch (error) {
    if (error instanceof LossgraftError) return { problem: error.message };
    throw error;
  }
}

function port(graph: Graph, name: string): PortReport {
  const value = graph.value(name);
  const kind: ValueInfoProto['kind'] = graph.infos.get(value)?.kind ?? 'tensor';
  const dtype = value.dtype ?? (kind === 'tensor' || kind === 'none' ? 'unknown' : kind);
  return { name, dtype, shape: plainShape(value.shape) };
}

function plainShape(shape: readonly Dim[] | undefined): PortReport['shape'] {
  return shape ? shape.map((dim) => dim ?? null) : null;
}

function parameterCount(graph: Graph, initializers: readonly TensorProto[]): number {
  const constants = graph.nodes.flatMap((node) => {
    const value = node.opType === 'Constant' ? node.attributes.get('value') : undefined;
    return value?.type === 'tensor' && 'span' in value.value ? [value.value] : [];
  });
  const sizes = [...initializers, ...constants]
    .filter((tensor) => isFloat(tensor.dtype))
    .map((tensor) => tensor.dims.reduce((n, d) => n * d, 1));
  return sizes.filter((size) => size > 1).reduce((sum, size) => sum + size, 0);
}

function externalFiles(initializers: readonly TensorProto[]): string[] {
  const files = new Set<string>();
  for (const { payload } of initializers) {
    if (payload.kind === 'external') files.add(payload.entries.get('location') ?? '(no location)');
  }
  return [...files];
}

/**
 * The same network as it is trained, where it is not in float32. One that cannot be widened is looked at as it is, which tells why nothing
 * of it can be trained; damaged scales are an error.
 */
function trainedTwin(model: Model): Model {
  try {
    return widened(model);
  } catch (error) {
    if (error instanceof LossgraftError && error.code !== 'bad-quantisation') return model;
    throw error;
  }
}

/** Of the graph with its ties undone, as in training. */
function training(
  model: Model,
  graph: Graph,
  rules: GradientRules,
  logits: Value | undefined,
): Pick<Inspection, 'trainable' | 'missingGradientRules'> {
  const stored = storedAs(model).join(' and ') || null;
  untie(graph);
  // Includes older models: training raises them.
  openStructures(model, graph, Math.max(model.opset, TRAIN_OPSETS.first));
  const found = findParameters(graph);
  const weights = found.parameters.map(({ value }) => value);
  const leftOut = found.leftOut.map(({ value, why }) => ({ name: value.name, why }));
  const elements = weights.reduce((sum, { shape }) => sum + elementCount((shape ?? []).map(Number)), 0);
  const order = topologicalOrder(graph);
  const before = nodesBefore(order, logits ? [logits] : graph.outputs);
  const missing = withoutRule(
    order.filter((node) => before.has(node)),
    weights,
    rules,
  );
  const staying = [...otherWeights(graph)].map(([dtype, count]) => ({ dtype, elements: count }));
  const problem = whyUntrained(graph, weights, logits);
  return {
    trainable: {
      tensors: weights.length,
      elements,
      leftOut,
      problem,
      storedAs: weights.length > 0 ? stored : null,
      staying,
    },
    missingGradientRules: [...new Set(missing)],
  };
}

function whyUntrained(graph: Graph, weights: readonly Value[], logits: Value | undefined): string | null {
  if (logits === undefined) return 'it has no logits';
  if (weights.length > 0) return null;
  const { found, hint } = whyNoFloats(graph);
  return `${found}. ${hint}`;
}

function operators(graph: Graph, opset: number): OpReport[] {
  const counts = new Map<string, number>();
  for (const node of graph.nodes) {
    const op = operatorName(node);
    counts.set(op, (counts.get(op) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.map(([op, count]) => ({
    op,
    count,
    cuda: cudaCoverage(op, opset),
    webgpu: webgpuCoverage(op, opset),
  }));
}
