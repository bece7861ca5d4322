import { graphEdit } from '../ir/edit.ts';
import type { Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { type Cut, type CutPlace, cutInput, findCut } from '../transform/frozen.ts';
import { type GraftRequest, graft } from '../transform/graft.ts';
import { findParameters } from '../transform/parameters.ts';
import { type PrepareRequest, prepare } from '../transform/prepare.ts';
import { prune } from '../transform/prune.ts';
import { trainedParameters } from '../transform/scales.ts';
import { LEARNING_RATE } from './backward.ts';
import { sessionBytes } from './sessionBytes.ts';

/** The part in front of everything trained: a graph of its own, whose weights stay constants. */
export interface FrozenPart extends CutPlace {
  readonly bytes: Uint8Array;
  /** Its outputs, mapped to the inputs that they become in the graphs behind it. */
  readonly feeds: Readonly<Record<string, string>>;
  /** Operators in it. */
  readonly nodes: number;
}

/** Why there is none. */
export interface NoFrozenPart {
  readonly why: string;
}

export type FrozenRequest = GraftRequest & PrepareRequest & { readonly trainable: string };

interface FoundCut {
  readonly cut: Cut;
  /** Whether computing it once saves anything: it has weights of its own, or expensive operators. */
  readonly matters: boolean;
  /** Whether more would be frozen if only parameters moved: Dropout and BatchNorm in training mode change it in each step. */
  readonly stirred: boolean;
}

/**
 * The part of a model that is the same in all graphs and steps of a run: what neither trained parameters, running statistics nor Dropout
 * masks influence.
 *
 * @param requests for all graphs of the run.
 */
export async function findFrozenPart(
  model: Model,
  requests: readonly FrozenRequest[],
): Promise<FrozenPart | NoFrozenPart> {
  // Known without examining the graph.
  if (requests.some(({ trainable }) => trainable.split(',').some((part) => part.trim() === 'all')))
    return { why: NOTHING };
  const made = new Set<string>();
  const passed = new Set<string>();
  let nodes = 0;
  for (const request of requests) {
    const { cut, matters, stirred } = await cutFor(model, request);
    if (stirred) return { why: STIRRED };
    if (!matters) return { why: NOTHING };
    for (const value of cut.made) made.add(value.name);
    for (const value of cut.passed) passed.add(value.name);
    nodes = Math.max(nodes, cut.nodes.length);
  }
  const [request] = requests;
  if (!request) return { why: NOTHING };
  const names = [...made];
  const bytes = await frozenGraph(model, request, names);
  return {
    bytes,
    names,
    feeds: Object.fromEntries(names.map((name) => [name, cutInput(name)])),
    passed: [...passed],
    nodes,
  };
}

const NOTHING = 'there is no layer before the trained ones';
const STIRRED = 'Dropout or BatchNorm in training mode changes the results of the frozen layers in every step';

async function cutFor(model: Model, request: FrozenRequest): Promise<FoundCut> {
  const draft = await prepare(model, request);
  const { graph } = draft;
  const data = [...graph.inputs];
  const among = new Set(graph.nodes);
  const { labels, logits, outputs } = graft(draft, request, [LEARNING_RATE]);
  const trained = trainedParameters(graph, request.trainable, logits).parameters.map(({ value }) => value);
  const statistics = draft.statistics.map(({ current }) => current);
  const nexts = draft.statistics.map(({ next }) => next);
  const common = { data, outputs: [logits, ...outputs, ...nexts], among };
  const cut = findCut(graph, { ...common, moving: [...trained, ...statistics, labels] });
  const calm = statistics.length === 0 ? cut : findCut(graph, { ...common, moving: [...trained, labels] });
  const weights = new Set(findParameters(graph).parameters.map(({ value }) => value));
  return {
    cut,
    matters: cut.nodes.some((node) => isWork(node, weights)),
    stirred: calm.nodes.length > cut.nodes.length,
  };
}

/** Cheap parts are not: slices and casts of the input, a mask, a list of positions, the input's mean and deviation. */
function isWork({ opType, inputs }: Node, weights: ReadonlySet<Value>): boolean {
  return (
    CONTRACTIONS.has(opType) || inputs.some((value) => value && weights.has(value) && (value.shape?.length ?? 0) > 1)
  );
}

/** Operators whose work grows faster than their inputs, and which may contain constants, such as the filters of a spectrogram. */
const CONTRACTIONS: ReadonlySet<string> = new Set(
  'Conv ConvTranspose ConvInteger QLinearConv MatMul MatMulInteger QLinearMatMul Gemm Einsum LSTM GRU RNN DFT STFT'.split(
    ' ',
  ),
);

async function frozenGraph(model: Model, request: PrepareRequest, names: readonly string[]): Promise<Uint8Array> {
  const { graph } = await prepare(model, request);
  graph.outputs.splice(0, graph.outputs.length, ...names.map((name) => graph.value(name, 'the frozen part')));
  prune(graph, { all: true });
  return sessionBytes(model, graphEdit(model.proto, graph));
}
