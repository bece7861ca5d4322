import { breather } from '../breather.ts';
import { checkNames, findClassNames } from '../classes/find.ts';
import type { ClassNames } from '../classes/names.ts';
import { type BoundData, bindData, type LabelInput } from '../data/bind.ts';
import type { Dataset } from '../data/dataset.ts';
import { preparedFor } from '../data/prepared.ts';
import { fillUp, fixedBatch } from '../data/samples.ts';
import { type Preparation, preparationIn } from '../data/tables/preparation.ts';
import { LossgraftError } from '../errors.ts';
import { graphEdit } from '../ir/edit.ts';
import type { Graph, Value } from '../ir/graph.ts';
import { type AskedProvider, settleProvider } from '../lower/provider.ts';
import { fileFor } from '../lower/webgpu/file.ts';
import { manifestRecord } from '../manifest.ts';
import { type Model, modelFile, typedGraph } from '../model.ts';
import { editedBytes } from '../onnx/index.ts';
import { type Pass, type Tensors, WHOLE_PASS } from '../parts/pass.ts';
import { apart, withLabels } from '../parts/tensors.ts';
import type { RunProgress } from '../records/progress.ts';
import { refuseEmptyInputs } from '../runtime/feeds.ts';
import { explainLength } from '../runtime/longestRow.ts';
import { proveBatch } from '../runtime/proveBatch.ts';
import { type ModelFile, openSession, type Session } from '../runtime/session.ts';
import { statedTask } from '../statedTask.ts';
import type { Task } from '../task.ts';
import type { Tensor } from '../tensor.ts';
import { inlineFunctions } from '../transform/inline.ts';
import { chooseBatch, fillNote } from './batches.ts';
import { type OwnLabels, ownLabels, turner } from './ownLabels.ts';
import { findScores, type ScoreForm, type ScorePlace } from './place.ts';
import { type LogitRows, scoreReader } from './rows.ts';

/** A model as a function from inputs to class scores, whatever its head. */
export interface Classifier {
  readonly model: string;
  readonly file: ModelFile;
  /** The output with the scores. */
  readonly output: string;
  readonly form: ScoreForm;
  /** How the scores were found. */
  readonly how: string;
  readonly task: Task;
  /** If samples may have several labels: the probability threshold of each, from lossgraft's manifest in the file. */
  readonly thresholds: readonly number[] | undefined;
  /** `undefined` if the file does not tell. */
  readonly classes: number | undefined;
  readonly names: ClassNames | undefined;
  /** The label input of a model that `augment` wrote: no score depends on it. */
  readonly labelInput: string | undefined;
  /** How training prepared tables. */
  readonly preparation: Preparation | undefined;
  /** The labels that a classical model returns beside its scores. */
  readonly ownLabels: OwnLabels | undefined;
  readonly notes: readonly string[];
}

/** The same with the graph in which the scores were found. */
export interface OpenedClassifier extends Classifier {
  readonly graph: Graph;
  readonly scores: Value;
}

/** The options of a classifier. */
export interface ClassifierOptions {
  readonly logits?: string | undefined;
  readonly classNames?: readonly string[] | undefined;
  /** Default: the task stated in the file or its folder, or else the one that the head suggests. */
  readonly task?: Task | undefined;
}

/**
 * Finds the scores of any classifier: a network with or without a softmax, a binary one with a sigmoid, a classical model or scikit-learn
 * pipeline with its dictionaries, and what `augment` wrote.
 *
 * @throws LossgraftError for models that are not classifiers of exclusive classes, naming their kind.
 */
export async function openClassifier(model: Model, options: ClassifierOptions = {}): Promise<OpenedClassifier> {
  const { proto, dir, name } = model;
  const manifest = manifestRecord(proto);
  if (manifest?.kind === 'train') throw trainingGraph(name);
  const graph = await typedGraph(model, [options.logits], (edited) => {
    inlineFunctions(model, edited);
  });
  refuseEmptyInputs(name, graph.inputs);
  const place = findScores(graph, model.opset, {
    logits: options.logits,
    task: options.task ?? statedTask(model)?.task,
    manifest,
  });
  const isOutput = proto.graph.outputs.some((output) => output.name === place.value.name);
  const file = isOutput ? modelFile(model) : withOutput(model, place, graph);
  const classes = classesOf(place, manifest);
  const { names, notes } = findClassNames({ given: options.classNames, proto, dir, classes });
  if (options.classNames !== undefined && classes !== undefined) checkNames(options.classNames, classes);
  const { form, how } = place;
  return {
    model: name,
    file,
    output: place.value.name,
    form,
    how,
    task: form === 'labels' ? 'multi-label' : 'exclusive',
    thresholds: thresholdsIn(manifest),
    classes: classes ?? names?.names.length,
    names,
    labelInput: labelInputOf(manifest),
    preparation: preparationIn(manifest, name),
    ownLabels: form === 'classical' ? ownLabels(graph, place.value) : undefined,
    notes: [...place.notes, ...notes],
    graph,
    scores: place.value,
  };
}

function withOutput(model: Model, { value }: ScorePlace, graph: Graph): ModelFile {
  const edit = { ...graphEdit(model.proto, graph), untypedOutputs: [value.name] };
  return {
    file: editedBytes(model.proto, edit),
    session: { name: model.name, externalDataFolder: model.dir },
  };
}

function classesOf(
  { form, value }: ScorePlace,
  manifest: Readonly<Record<string, unknown>> | null,
): number | undefined {
  if (form === 'binary') return 2;
  const width = value.shape?.[1];
  if (typeof width === 'number') return width;
  return typeof manifest?.classes === 'number' ? manifest.classes : undefined;
}

function thresholdsIn(manifest: Readonly<Record<string, unknown>> | null): readonly number[] | undefined {
  const { thresholds } = manifest ?? {};
  return Array.isArray(thresholds) && thresholds.every((each) => typeof each === 'number') ? thresholds : undefined;
}

function labelInputOf(manifest: Readonly<Record<string, unknown>> | null): string | undefined {
  const names = manifest?.kind === 'augmented' ? manifest.names : undefined;
  if (typeof names !== 'object' || names === null || !('labels' in names)) return undefined;
  return String(names.labels);
}

function trainingGraph(where: string): LossgraftError {
  return new LossgraftError({
    code: 'no-classifier',
    where,
    expected: 'a classifier',
    found: 'a training graph',
    hint: 'Give the model that it was made from, or the one that training wrote',
  });
}

/** How a classifier is run over data. */
export interface ScoringOptions {
  readonly provider?: AskedProvider | undefined;
  readonly batchSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: RunProgress) => void) | undefined;
  /** The rows to go through, and what becomes of what the model gives for them. Default: all. */
  readonly pass?: Pass | undefined;
  /** Before the first batch. */
  readonly onNotes?: ((notes: readonly string[]) => void) | undefined;
}

/** The result of a batch, with `labels` if requested. */
export interface ScoredBatch extends LogitRows {
  readonly start: number;
  readonly count: number;
  readonly labels: BigInt64Array;
  /** Whether the scores of two classes were swapped because the model's own labels contradict them. */
  readonly isTurned: boolean;
  /** Instead of these, if samples may have several labels: 0 and 1, [count, C]. */
  readonly hot: Float32Array | undefined;
}

/** The label input, for a model without one. */
export const LABEL_INPUT = 'labels';

/**
 * Runs a classifier over data, batch by batch, in order.
 *
 * @param labelled whether labels are read, as `bindData` does.
 * @throws LossgraftError for data that do not fit, scores that are NaN, with the row, and as `openSession` does.
 */
export async function* scoreBatches(
  classifier: Classifier,
  data: Dataset,
  labelled: boolean,
  options: ScoringOptions = {},
): AsyncGenerator<ScoredBatch> {
  const { signal, onProgress, onNotes } = options;
  const breathe = breather(signal);
  await breathe();
  const { output } = classifier;
  const { pass = WHOLE_PASS } = options;
  // What was computed elsewhere asks for no device here.
  const { provider, notes } = await settleProvider(pass.provider ? 'cpu' : options.provider);
  const file = await fileFor(provider, classifier.file);
  const session = await openSession(file.file, { ...file.session, provider });
  try {
    const { bound, name } = bind(classifier, session, data, labelled);
    const fixed = fixedBatch(session.inputs);
    const size = chooseBatch(fixed, options.batchSize, bound.size);
    const { first, last } = pass.rows(bound.size, size);
    onNotes?.([...notes, ...bound.notes, ...fillNote(bound.size, fixed)]);
    const reader = scoreReader(classifier);
    const { turn, isTurned } = turner(classifier.ownLabels);
    const ownOutput = classifier.ownLabels?.output;
    const fetches = ownOutput === undefined ? [output] : [output, ownOutput];
    const runBatch = async (start: number, count: number): Promise<Tensors> => {
      const { [name]: labels, ...own } = await bound.read(start, count);
      const feeds = fillUp({ ...own, ...unusedLabels(classifier, count) }, fixed);
      if (provider !== 'cpu' && start === first)
        onNotes?.([(await proveBatch(provider, file, feeds, (some) => session.run(some))).note]);
      await breathe();
      const results = await session.run(feeds, fetches).catch(async (error: unknown) => {
        throw await explainLength(error, file, () => bound.read(0, 1), data.name);
      });
      return withLabels(labels, results);
    };
    for (let start = first; start < last; start += size) {
      const count = Math.min(size, last - start);
      await breathe();
      const { labels, outputs } = apart(await pass.through(start, count, () => runBatch(start, count)));
      const own = ownOutput === undefined ? undefined : outputs[ownOutput];
      const rows = turn(reader.read(outputs[output], start, count), own, count);
      if (start === first) onNotes?.([...reader.notes(), ...(isTurned() ? [turnedNote(output)] : [])]);
      yield { ...rows, start, count, ...targetsIn(labels), isTurned: isTurned() };
      onProgress?.({ done: start + count - first, total: last - first });
    }
  } finally {
    await session.close();
  }
}

function turnedNote(output: string): string {
  return `The scores "${output}" are the opposite of the labels that the model itself gives: they are taken the other way round`;
}

function bind(
  { labelInput, classes, model, preparation, task }: Classifier,
  session: Session,
  data: Dataset,
  labelled: boolean,
): { readonly bound: BoundData; readonly name: string } {
  refuseEmptyInputs(model, session.inputs);
  const inputs = session.inputs.filter(({ name }) => name !== labelInput);
  const name = labelInput ?? LABEL_INPUT;
  const labels: LabelInput | undefined = labelled ? { name, classes, task } : undefined;
  return { bound: bindData(preparedFor(data, inputs, preparation), inputs, labels), name };
}

/** An augmented model needs labels; its scores do not. */
function unusedLabels({ labelInput, task, classes = 0 }: Classifier, count: number): Record<string, Tensor> {
  if (labelInput === undefined) return {};
  if (task === 'multi-label')
    return { [labelInput]: { dtype: 'float32', dims: [count, classes], data: new Float32Array(count * classes) } };
  return { [labelInput]: { dtype: 'int64', dims: [count], data: new BigInt64Array(count) } };
}

function targetsIn(labels: Tensor | undefined): Pick<ScoredBatch, 'labels' | 'hot'> {
  return {
    labels: labels?.data instanceof BigInt64Array ? labels.data : new BigInt64Array(),
    hot: labels?.data instanceof Float32Array ? labels.data : undefined,
  };
}
