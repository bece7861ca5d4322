import { option } from '../errors.ts';
import type { Graph, Value } from '../ir/graph.ts';
import { isRecord } from '../isRecord.ts';
import type { Task } from '../task.ts';
import { mayBeFloat } from '../tensor.ts';
import { isOneScore } from '../transform/head.ts';
import { findLogits, modelHead, namedLogits } from '../transform/logits.ts';

/**
 * The kinds of scores. `logits`: before a softmax. `binary`: one number per sample, the logit of the second of two classes. `scores`: C
 * classes, logits or probabilities, which the file does not say, like those of a `classical` model. `labels`: an independent logit per
 * label, before sigmoids.
 */
export type ScoreForm = 'logits' | 'binary' | 'scores' | 'classical' | 'labels';

/** The tensor with the class of each sample. */
export interface ScorePlace {
  readonly value: Value;
  readonly form: ScoreForm;
  readonly how: string;
  readonly notes: readonly string[];
}

/**
 * Finds the scores of any classifier: before the softmax if there is one, before the sigmoid of a binary head, or the output of a
 * classical model's operator.
 *
 * @param asked a tensor named by the user, and the content of lossgraft's manifest.
 * @throws LossgraftError for models that are not classifiers of exclusive classes, naming their kind; see `findLogits`.
 */
export function findScores(
  graph: Graph,
  opset: number,
  asked: {
    readonly logits?: string | undefined;
    readonly task?: Task | undefined;
    readonly manifest: Readonly<Record<string, unknown>> | null;
  },
): ScorePlace {
  const { task } = asked;
  if (asked.logits !== undefined) return named(graph, asked.logits, opset, task);
  const { logits } = asked.manifest ?? {};
  const told = isRecord(logits) ? graph.values.get(String(logits.name)) : undefined;
  if (told) {
    const isOne = told.shape !== undefined && isOneScore(told.shape);
    const form = isOne ? 'binary' : task === 'multi-label' ? 'labels' : 'logits';
    return { value: told, form, how: 'named in its manifest', notes: [] };
  }
  const head = modelHead(graph, opset);
  if (head.kind === 'sigmoid-binary' && task !== 'multi-label') return binary(graph, head, opset);
  if (head.kind === 'classical' && task !== 'multi-label') {
    return { value: graph.value(head.scores), form: 'classical', how: 'output of a classical model', notes: [] };
  }
  const declared = head.kind === 'unknown' && task !== 'multi-label' ? declaredScores(graph) : undefined;
  if (declared)
    return { value: declared, form: 'scores', how: 'the only output with a row for each sample', notes: [] };
  const { value, how, kind, isStated, notes } = findLogits(graph, opset, task);
  if (kind === 'sigmoid-multi-label') return { value, form: 'labels', how, notes };
  return { value, form: isStated ? 'logits' : 'scores', how, notes };
}

/**
 * Behind operators of classical models only declared outputs tell shapes: the scores are the one with floats in two dimensions, or with
 * dictionaries.
 */
function declaredScores(graph: Graph): Value | undefined {
  if (!graph.nodes.some(({ domain }) => domain === 'ai.onnx.ml')) return undefined;
  const found = graph.outputs.flatMap((output) => {
    const info = graph.infos.get(output);
    const isTable = info?.type?.shape?.length === 2 && mayBeFloat(info.type.dtype) && info.type.shape[1] !== 1;
    const value = info?.kind === 'sequence' ? beforeZipMap(output) : isTable ? output : undefined;
    return value === undefined ? [] : [value];
  });
  return found.length === 1 ? found[0] : undefined;
}

function beforeZipMap({ producer }: Value): Value | undefined {
  return producer?.opType === 'ZipMap' ? producer.inputs[0] : undefined;
}

function named(graph: Graph, name: string, opset: number, task: Task | undefined): ScorePlace {
  const value = graph.value(name, 'option logits');
  const { kind, notes } = namedLogits(graph, name, opset, task);
  const forms = { 'sigmoid-binary': 'binary', 'sigmoid-multi-label': 'labels', softmax: 'scores' } as const;
  return { value, form: forms[kind], how: `named by ${option('logits')}`, notes };
}

function binary(graph: Graph, head: ReturnType<typeof modelHead>, opset: number): ScorePlace {
  if (!head.isStated) {
    const { value, how, notes } = findLogits(graph, opset);
    return { value, form: 'binary', how, notes };
  }
  const shares = graph.outputs.map(joined).find((value) => value !== undefined);
  if (shares) return { value: shares, form: 'scores', how: 'a sigmoid and what it leaves of 1', notes: [] };
  return { value: graph.value(head.scores), form: 'binary', how: 'input of the final Sigmoid', notes: [] };
}

const PASSED: ReadonlySet<string> = new Set(['ZipMap', 'Identity', 'Cast']);

/** The [1 − p, p] of an output. */
function joined(output: Value): Value | undefined {
  let value: Value | undefined = output;
  while (value?.producer && PASSED.has(value.producer.opType)) value = value.producer.inputs[0];
  return value?.producer?.opType === 'Concat' && mayBeFloat(value.dtype) ? value : undefined;
}
