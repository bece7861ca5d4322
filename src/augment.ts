import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import type { Loss, LossOutputs } from './contract.ts';
import { createEmitter, type Emitter, type Value } from './emit/index.ts';
import { LossgraftError } from './errors.ts';
import { graphEdit } from './ir/edit.ts';
import type { Graph } from './ir/graph.ts';
import { type Model, typedGraph } from './model.ts';
import { editedBytes } from './onnx/index.ts';
import type { ModelEdit } from './onnx/types.ts';
import { resolveOptions } from './options.ts';
import { inferTypes } from './runtime/oracle.ts';
import { makeBatchDynamic } from './transform/dynamicBatch.ts';
import { type Features, findFeatures } from './transform/features.ts';
import { type Found, findLogits, namedLogits } from './transform/logits.ts';
import { classScores, featureNorm, namedFeatures } from './transform/splice.ts';
import { VERSION } from './version.ts';
import { type WriteOptions, writeEdited } from './write.ts';

export type Reduction = 'mean' | 'sum' | 'none';

/** What `augment` is asked for; the loss and the weights are values, found by name at the public door. */
export interface AugmentRequest {
  readonly loss: Loss;
  readonly lossOptions: Readonly<Record<string, unknown>>;
  /** One weight per class, and where they come from. */
  readonly classWeights?: { readonly values: readonly number[]; readonly how: string };
  readonly reduction?: Reduction;
  readonly logits?: string;
  readonly features?: string;
  readonly featuresAreNorm?: boolean;
  readonly dynamicBatch?: boolean;
  readonly rename?: Readonly<Record<string, string>>;
}

/** What was done, as plain data. */
export interface AugmentReport {
  readonly model: string;
  readonly loss: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly reduction: Reduction;
  readonly logits: TensorReport;
  readonly features: TensorReport | null;
  readonly classes: number | null;
  readonly classWeights: { readonly how: string; readonly values: readonly number[] } | null;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** What `labels`, `loss`, `loss_per_sample` and the loss's further outputs are called in this model. */
  readonly names: Readonly<Record<string, string>>;
  /** What the user should know of. */
  readonly notes: readonly string[];
}

export interface TensorReport {
  readonly name: string;
  readonly how: string;
}

/** A model with a loss, not yet written. */
export interface Augmented {
  readonly report: AugmentReport;
  readonly graph: Graph;
  /** Writes it to a new file. @throws LossgraftError if the file exists and `force` is not set, or is the model itself. */
  write(path: string, options?: WriteOptions): Promise<void>;
  /** The whole file in memory. External data stay references to files beside the model. */
  bytes(): Uint8Array;
}

/**
 * Grafts a loss onto a classifier: a further input `labels` (int64 [N]), further outputs `loss`, `loss_per_sample` [N] and what
 * the loss declares. What the model computed before is left as it is, byte for byte.
 *
 * @throws LossgraftError where logits or features cannot be told, an option makes no sense, or a name is taken.
 */
export async function augment(model: Model, request: AugmentRequest): Promise<Augmented> {
  const { loss } = request;
  const options = resolveOptions(loss.options, request.lossOptions, `loss ${loss.name}`);
  refuseUnused(request);
  const graph = await typedGraph(model, [request.logits, request.features]);
  const notes: string[] = [];
  if (request.dynamicBatch) notes.push(await makeBatchDynamic(model, graph));
  const logits = request.logits === undefined ? findLogits(graph, model.opset) : namedLogits(graph, request.logits);
  const features = loss.needsFeatures ? featuresOf(graph, logits, request) : undefined;
  const op = createEmitter(graph, model.opset);
  const scores = classScores(op, logits.value);
  const classes = scores.shape?.[1];
  const weights = weightsValue(op, request, typeof classes === 'number' ? classes : undefined);
  const name = (own: string) => request.rename?.[own] ?? own;
  refuseUnknownRenames(request, loss);
  const labels = graph.define(name('labels'), 'int64', [batchDim(logits.value)]);
  graph.inputs.push(labels);
  const norm = features && featureNorm(op, features, request.featuresAreNorm ?? false);
  const built = loss.build(op, { logits: scores, labels, featureNorm: norm, weights }, options);
  const outputs = addOutputs(op, built, request.reduction ?? 'mean', batchDim(logits.value), name);
  await inferTypes(model.proto, graph, outputs);
  notes.push(...batchNotes(logits.value));
  const report: AugmentReport = {
    model: model.name,
    loss: loss.name,
    options,
    reduction: request.reduction ?? 'mean',
    logits: { name: logits.value.name, how: logits.how },
    features: features ? { name: features.value.name, how: features.how } : null,
    classes: typeof classes === 'number' ? classes : null,
    classWeights: request.classWeights ? { how: request.classWeights.how, values: request.classWeights.values } : null,
    inputs: graph.inputs.map((value) => value.name),
    outputs: graph.outputs.map((value) => value.name),
    names: Object.fromEntries([...OWN_NAMES, ...Object.keys(built.extra ?? {})].map((own) => [own, name(own)])),
    notes,
  };
  return augmented(model, graph, report);
}

function augmented(model: Model, graph: Graph, report: AugmentReport): Augmented {
  const edit = (hash: string | undefined): ModelEdit => ({
    ...graphEdit(model.proto, graph),
    metadata: new Map([['lossgraft', JSON.stringify(manifest(report, hash))]]),
  });
  return {
    report,
    graph,
    bytes: () => editedBytes(model.proto, edit(undefined)),
    write: async (path, options = {}) => writeEdited(model, edit(await sha256(model.path)), path, options),
  };
}

/** What the written file says of itself, in metadata_props["lossgraft"]. */
function manifest(report: AugmentReport, hash: string | undefined): Readonly<Record<string, unknown>> {
  const { loss, options, reduction, names, classes, logits, features, classWeights } = report;
  const source = { file: report.model, ...(hash === undefined ? {} : { sha256: hash }) };
  return {
    version: VERSION,
    kind: 'augmented',
    loss,
    options,
    reduction,
    names,
    classes,
    logits,
    features,
    classWeights,
    source,
  };
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function featuresOf(graph: Graph, logits: Found, request: AugmentRequest): Features {
  if (request.features !== undefined) return namedFeatures(graph, request.features, request.featuresAreNorm ?? false);
  if (request.featuresAreNorm) {
    throw new LossgraftError({
      code: 'option-needs-option',
      where: 'option features-are-norm',
      expected: 'the tensor that holds the norms to be named',
      found: 'no --features',
      hint: 'Add --features TENSOR, a tensor of the shape [N] or [N, 1]',
    });
  }
  return findFeatures(graph, logits.value);
}

function refuseUnused(request: AugmentRequest): void {
  if (request.loss.needsFeatures) return;
  const given = request.features !== undefined ? 'features' : request.featuresAreNorm ? 'features-are-norm' : undefined;
  if (given === undefined) return;
  throw new LossgraftError({
    code: 'unused-option',
    where: `option ${given}`,
    expected: `options that the loss ${request.loss.name} uses`,
    found: `--${given}, and this loss reads no features`,
    hint: 'Leave it out, or choose a loss that weighs samples by their influence (ib, ib-focal)',
  });
}

const OWN_NAMES = ['labels', 'loss', 'loss_per_sample'];

function refuseUnknownRenames(request: AugmentRequest, loss: Loss): void {
  const known = [...OWN_NAMES, ...(loss.needsFeatures ? ['ib_factor'] : [])];
  const unknown = Object.keys(request.rename ?? {}).find((own) => !known.includes(own));
  if (unknown === undefined) return;
  throw new LossgraftError({
    code: 'unknown-rename',
    where: 'option rename',
    expected: `one of lossgraft's own names (${known.join(', ')})`,
    found: `"${unknown}"`,
    hint: 'Tensors of the model keep their names',
  });
}

function weightsValue(op: Emitter, request: AugmentRequest, classes: number | undefined): Value | undefined {
  const weights = request.classWeights?.values;
  if (weights === undefined) return undefined;
  if (classes !== undefined && weights.length !== classes) {
    throw new LossgraftError({
      code: 'class-count-mismatch',
      where: 'class counts or weights',
      expected: `${classes}, one for each class of the model`,
      found: `${weights.length}`,
      hint: 'Give them in the order of the model’s classes',
    });
  }
  return op.constant({ dtype: 'float32', dims: [weights.length], data: Float32Array.from(weights) });
}

function batchDim(logits: Value): number | string {
  return logits.shape?.[0] ?? 'batch';
}

function batchNotes(logits: Value): string[] {
  const batch = logits.shape?.[0];
  if (typeof batch !== 'number') return [];
  return [`The batch is fixed at ${batch} in this model; --dynamic-batch makes it free where the model allows it`];
}

function addOutputs(
  op: Emitter,
  built: LossOutputs,
  reduction: Reduction,
  batch: number | string,
  name: (own: string) => string,
): Value[] {
  const { perSample } = built;
  const reduced = { mean: op.reduceMean, sum: op.reduceSum, none: (x: Value) => x }[reduction](perSample);
  const shape = reduction === 'none' ? [batch] : [];
  const outputs: [string, Value, (number | string)[]][] = [
    ['loss', reduced, shape],
    ['loss_per_sample', perSample, [batch]],
    ...Object.entries(built.extra ?? {}).map(([key, value]): [string, Value, (number | string)[]] => [
      key,
      value,
      [batch],
    ]),
  ];
  return outputs.map(([own, value, dims]) => {
    const output = op.graph.define(name(own), 'float32', dims);
    op.graph.addNode({
      opType: 'Identity',
      name: op.graph.freshName('lossgraft/output'),
      inputs: [value],
      outputs: [output],
    });
    op.graph.outputs.push(output);
    return output;
  });
}
