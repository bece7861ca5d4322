import { classesManifest } from '../classes/manifest.ts';
import { metadataFor } from '../classes/metadata.ts';
import type { ClassNames } from '../classes/names.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import { graphEdit } from '../ir/edit.ts';
import type { Graph, Value } from '../ir/graph.ts';
import { MANIFEST_KEY, manifestRecord } from '../manifest.ts';
import { type Model, open, typedGraph } from '../model.ts';
import { editedBytes, relabelDim } from '../onnx/index.ts';
import type { ModelEdit } from '../onnx/types.ts';
import { inlineFunctions } from '../transform/inline.ts';
import { findLogits, namedLogits, type TrainedKind } from '../transform/logits.ts';
import type { LinearLayer, Stored } from './elements.ts';
import { type FollowedHead, followHead } from './follow.ts';
import { findLayer } from './place.ts';
import { type Reach, widenScales } from './reach.ts';
import { replaceRows } from './replaceRows.ts';
import type { Slice } from './rows.ts';

/** A model's head with everything needed to change its classes. */
export interface OpenHead {
  readonly model: Model;
  readonly graph: Graph;
  readonly scores: Value;
  readonly kind: TrainedKind;
  readonly layer: LinearLayer;
  readonly followed: FollowedHead;
  /** Where biases are stored: the layer's own input, or that of an Add behind it; `undefined` if there are none. */
  readonly bias: Stored | undefined;
  /** Number of classes of the model. */
  readonly classes: number;
  /** Notes for the user. */
  readonly notes: readonly string[];
}

/** One score of the new head: an old one, by index, or new numbers. */
export type NewScore =
  | number
  | {
      readonly weights: ArrayLike<number>;
      readonly bias: number;
      /** Its scores over samples; `undefined` where none were looked at. */
      readonly reach?: Reach | undefined;
    };

/** The requested classes of a head. */
export interface HeadRequest {
  readonly scores: readonly NewScore[];
  readonly names: ClassNames | undefined;
}

/**
 * Finds the head of a model, and everything that counts its classes.
 *
 * @throws LossgraftError `no-linear-head`, `head-not-followed`, and errors of finding the scores.
 */
export async function openHead(model: Model, logits: string | undefined): Promise<OpenHead> {
  refuseOwn(model);
  const notes: string[] = [];
  const graph = await typedGraph(model, [logits], (edited) => {
    notes.push(...inlineFunctions(model, edited).notes);
  });
  const found = logits === undefined ? findLogits(graph, model.opset) : namedLogits(graph, logits, model.opset);
  const isBinary = found.kind === 'sigmoid-binary';
  const layer = findLayer(model, graph, found.value, isBinary);
  const followed = followHead(model, graph, layer, isBinary);
  if (!isBinary && !followed.axes.has(found.value)) throw otherLayer(model, layer);
  return {
    model,
    graph,
    scores: found.value,
    kind: found.kind,
    layer,
    followed,
    bias: layer.bias ?? followed.bias,
    classes: isBinary ? 2 : layer.outputs,
    notes,
  };
}

/** The layer's input width. */
export function widthOf({ layer: { weight, outputs } }: OpenHead): number {
  return weight.tensor.data.length / Math.max(1, outputs);
}

/**
 * The model with other classes: rows of the last layer, everything that counts them, and their names. Every other byte stays. The open
 * head is consumed.
 */
export async function withClasses(
  head: OpenHead,
  { scores, names }: HeadRequest,
): Promise<{ readonly model: Model; readonly notes: readonly string[] }> {
  const { model, layer, followed, bias } = head;
  const { alpha, beta, weight } = layer;
  const rows = scores.map((score): Slice => (typeof score === 'number' ? score : scaled(score.weights, 1 / alpha)));
  const biases = scores.map(
    (score): Slice => (typeof score === 'number' ? score : [score.bias / (bias === layer.bias ? beta || 1 : 1)]),
  );
  const notes = replaceRows(head.graph, { weight, rows, bias, biases });
  notes.push(...widenScales(model, head.graph, followed.scales, reachOf(scores)));
  const called = names?.names ?? Array.from({ length: classesOf(head, scores.length) }, (_, k) => String(k));
  relabel(head, scores.length);
  followed.change({ outputs: scores.length, classes: called.length, names: called });
  const edit: ModelEdit = { ...graphEdit(model.proto, head.graph), metadata: metadataOf(head, called, names) };
  const changed = await open(editedBytes(model.proto, edit), { name: model.name, dir: model.dir });
  return { model: changed, notes: [...followed.notes, ...notes] };
}

function reachOf(scores: readonly NewScore[]): Reach {
  const all = scores.flatMap((score) => (typeof score === 'number' ? [] : (score.reach ?? [])));
  return [Math.min(0, ...all), Math.max(0, ...all)];
}

function classesOf({ kind }: OpenHead, outputs: number): number {
  return kind === 'sigmoid-binary' ? 2 : outputs;
}

function scaled(values: ArrayLike<number>, by: number): number[] {
  return Array.from(values, (value) => value * by);
}

/** Declared sizes of scores and of the layer's constants. */
function relabel({ model, graph, followed, layer, bias }: OpenHead, outputs: number): void {
  const { valueInfos, outputs: declared, inputs } = model.proto.graph;
  const axes = new Map([...followed.axes].map(([{ name }, axis]) => [name, axis]));
  for (const stored of [layer.weight, bias]) {
    if (!stored) continue;
    axes.set(stored.value.name, stored.axis);
    for (const [{ name }, axis] of stored.passed ?? []) axes.set(name, axis);
    for (const holder of [stored.rounding?.scale, stored.rounding?.zero]) if (holder) axes.set(holder.value.name, 0);
  }
  for (const info of [...valueInfos, ...declared, ...inputs]) {
    const axis = axes.get(info.name);
    if (axis === undefined || typeof info.type?.shape?.[axis] !== 'number') continue;
    graph.patches.push(relabelDim(model.proto.source, info, axis, outputs));
  }
}

/** Metadata that name or count the classes, and lossgraft's manifest, which holds known names. */
function metadataOf({ model: { proto }, classes }: OpenHead, called: readonly string[], names: ClassNames | undefined) {
  const metadata = metadataFor(proto, classes, called);
  if (names || manifestRecord(proto)) metadata.set(MANIFEST_KEY, classesManifest(proto, names));
  return metadata;
}

/** A layer without scores of its own. */
function otherLayer({ name }: Model, { node }: LinearLayer): LossgraftError {
  return new LossgraftError({
    code: 'no-linear-head',
    where: name,
    expected: 'a last linear layer that gives a score for each class',
    found: `${describeNode(node)}, whose results are mixed before they are scores`,
    hint: `Name the scores with ${option('logits')}`,
  });
}

/** Models that lossgraft wrote count their classes in more places. */
function refuseOwn({ proto, name }: Model): void {
  const kind = manifestRecord(proto)?.kind;
  if (kind !== 'augmented' && kind !== 'train') return;
  throw new LossgraftError({
    code: 'no-linear-head',
    where: name,
    expected: 'a classifier as it was exported or tuned',
    found: kind === 'train' ? 'a training graph' : 'a model that augment wrote',
    hint: 'Change the classes of the model that it was made from',
  });
}
