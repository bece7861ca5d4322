import { checkNames, findClassNames } from './classes/find.ts';
import { type ClassNames, namesRecord } from './classes/names.ts';
import { preparationIn } from './data/tables/preparation.ts';
import { MIN_OPSET } from './emit/index.ts';
import { option } from './errors.ts';
import { graphEdit } from './ir/edit.ts';
import { manifestRecord } from './manifest.ts';
import { type Model, modelHash, typedGraph } from './model.ts';
import { editedBytes } from './onnx/index.ts';
import type { ModelEdit } from './onnx/types.ts';
import { refuseEmptyInputs } from './runtime/feeds.ts';
import { verifyGraph } from './runtime/oracle/oracle.ts';
import { constantReader, inferAllTypes, inferOwnTypes } from './transform/constantValues.ts';
import { declaredOtherwise, settleDeclared } from './transform/declared.ts';
import { makeBatchDynamic } from './transform/dynamicBatch.ts';
import { addGradientOutputs, type Calculus } from './transform/gradientOutputs.ts';
import { batchNotes, type Draft, type Grafted, type GraftReport, type GraftRequest, graft } from './transform/graft.ts';
import { inlineFunctions } from './transform/inline.ts';
import { openBodies } from './transform/openBodies.ts';
import { findParameters, leftOutNotes } from './transform/parameters.ts';
import { TRAIN_OPSETS } from './transform/prepare.ts';
import { raiseOpset } from './transform/raise.ts';
import { VERSION } from './version.ts';
import { type WriteOptions, writeEdited } from './write.ts';

/** What a caller requests of `augment`. */
export interface AugmentRequest extends GraftRequest {
  readonly dynamicBatch?: boolean;
  /** Names of the model's classes, in the order of its scores. Default: those in the file, or in config.json beside it. */
  readonly classNames?: readonly string[];
  /** Gradients to give as outputs: `logits`, `features`, `parameters`, or names of tensors. */
  readonly grad?: readonly string[];
  readonly calculus: Calculus;
}

/** What was done, as plain data. */
export interface AugmentReport extends GraftReport {
  readonly model: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The names of all classes, in the order of the scores; `null` if unknown. The file's manifest holds them. */
  readonly classNames: readonly string[] | null;
  readonly classNamesFrom: string | null;
  /** Notes for the user. */
  readonly notes: readonly string[];
}

/** A model with a loss, not yet written. */
export interface Augmented {
  readonly report: AugmentReport;
  /** The folder against which external data are resolved, for `bytes`. */
  readonly dir: string;
  /** Writes it to a new file. @throws LossgraftError if the file exists and `force` is not set, or is the model itself. */
  write(path: string, options?: WriteOptions): Promise<void>;
  /** The whole file in memory. External data stay references to files beside the model. */
  bytes(): Uint8Array;
}

/**
 * Grafts a loss onto a classifier: a further input `labels` (int64 [N]), and further outputs `loss`, `loss_per_sample` [N] and those that
 * the loss declares. The model's own computation stays as it is, byte for byte, except that a model older than opset 11 is raised to it,
 * and calls of the model's own functions are inlined.
 *
 * @throws LossgraftError if logits or features cannot be found, an option is invalid, or a name is taken.
 */
export async function augment(model: Model, request: AugmentRequest): Promise<Augmented> {
  const notes: string[] = [];
  const graph = await typedGraph(model, [request.logits, request.features], (edited) => {
    notes.push(...inlineFunctions(model, edited).notes);
  });
  // Gradient rules are written for the opsets of training graphs.
  const raised = await raiseOpset(model, graph, request.grad ? TRAIN_OPSETS.first : MIN_OPSET);
  const draft: Draft = { graph, opset: raised.to, notes: [...notes, ...raised.notes] };
  if (request.dynamicBatch) draft.notes.push(await makeBatchDynamic(model, graph));
  refuseEmptyInputs(model.name, graph.inputs);
  if (request.grad) draft.notes.push(...(await inferAllTypes(model, graph)));
  else await settleDeclared(model, graph);
  draft.notes.push(...declaredOtherwise(graph, request.dynamicBatch));
  const { logits, report } = request.grad
    ? await graftWithGradients(model, draft, request, request.grad)
    : graft(draft, request);
  await verifyGraph(model.proto, graph);
  draft.notes.push(...batchNotes(logits));
  const names = namesOf(model, request, report, draft.notes);
  return augmented(model, draft, names, {
    ...report,
    classNames: names?.names ?? null,
    classNamesFrom: names?.from ?? null,
    model: model.name,
    inputs: graph.inputs.map((value) => value.name),
    outputs: graph.outputs.map((value) => value.name),
    notes: draft.notes,
  });
}

async function graftWithGradients(
  model: Model,
  draft: Draft,
  request: AugmentRequest,
  asked: readonly string[],
): Promise<Grafted> {
  await openBodies(model, draft.graph, draft.opset);
  const constant = await constantReader(model, draft.graph);
  const grafted = graft(draft, request);
  await inferOwnTypes(model, draft.graph);
  if (asked.includes('parameters'))
    draft.notes.push(...leftOutNotes(findParameters(draft.graph).leftOut, option('grad')));
  addGradientOutputs(grafted, asked, request.calculus, constant);
  return grafted;
}

/** Placeholder names such as LABEL_0 are left out. */
function namesOf(
  { proto, dir }: Model,
  { classNames: given }: AugmentRequest,
  { classes }: GraftReport,
  notes: string[],
): ClassNames | undefined {
  const found = findClassNames({ given, proto, dir, classes: classes ?? undefined });
  notes.push(...found.notes);
  if (given !== undefined && classes !== null) checkNames(given, classes);
  return found.names?.arePlaceholders && given === undefined ? undefined : found.names;
}

function augmented(model: Model, { graph }: Draft, names: ClassNames | undefined, report: AugmentReport): Augmented {
  const preparation = preparationIn(manifestRecord(model.proto), model.name);
  const prepared = preparation === undefined ? {} : { preparation };
  const edit = (hash: string | undefined): ModelEdit => ({
    ...graphEdit(model.proto, graph),
    metadata: new Map([
      ['lossgraft', JSON.stringify({ ...manifest(report, hash), ...namesRecord(names), ...prepared })],
    ]),
  });
  return {
    report,
    dir: model.dir,
    bytes: () => editedBytes(model.proto, edit(undefined)),
    write: async (path, options = {}) => writeEdited(model, edit(await modelHash(model)), path, options),
  };
}

/** The manifest of the written file, in metadata_props["lossgraft"]. */
function manifest(report: AugmentReport, hash: string | undefined): Readonly<Record<string, unknown>> {
  const { loss, options, reduction, names, classes, logits, task, head, features, classWeights, classCounts } = report;
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
    task,
    head,
    features,
    classWeights,
    ...(classCounts === null ? {} : { classCounts }),
    source,
  };
}
