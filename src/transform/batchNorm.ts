import { COMPOSITE_DOMAIN } from '../contract.ts';
import { LossgraftError, option } from '../errors.ts';
import { describeNode, float, floatAttribute, intAttribute } from '../ir/attributes.ts';
import type { Graph, InitializerSource, Node, NodeAttributes, Value } from '../ir/graph.ts';

/** A running mean or variance that a training step updates. */
export interface RunningStatistic {
  readonly current: Value;
  /** Its initial elements. */
  readonly source: InitializerSource;
  readonly next: Value;
}

export interface BatchNorms {
  readonly statistics: readonly RunningStatistic[];
  /** For the report. */
  readonly notes: readonly string[];
}

/**
 * Makes every BatchNormalization use the running statistics (`frozen`) or the batch's (`train`), regardless of the export. `train` makes
 * composites `BatchNormTrain`, with PyTorch's unbiased variance in the running one.
 *
 * @throws LossgraftError `batch-norm` if running statistics are computed or shared, or results of training mode are read.
 */
export function batchNorm(graph: Graph, mode: 'frozen' | 'train'): BatchNorms {
  const found = graph.nodes.filter(isBatchNorm);
  const training = found.filter(isTraining).length;
  const statistics: RunningStatistic[] = [];
  for (const node of found) {
    if (mode === 'train') statistics.push(...train(graph, node));
    else if (isTraining(node)) freeze(graph, node);
  }
  return { statistics, notes: notesOf(mode, found.length, training) };
}

function notesOf(mode: 'frozen' | 'train', count: number, training: number): string[] {
  if (mode === 'frozen') {
    const exported = `${training} BatchNormalization nodes of a training export use their running statistics (frozen)`;
    return training > 0 ? [exported] : [];
  }
  if (count > 0)
    return [`${count} BatchNormalization nodes use the statistics of the batch and update the running ones`];
  return [
    'batchNorm is train, but this model has no BatchNormalization: an export for inference folds it into the ' +
      'preceding convolution. Export in training mode (in PyTorch: training=TrainingMode.TRAINING)',
  ];
}

function isBatchNorm(node: Node): boolean {
  return node.opType === 'BatchNormalization' && node.domain === '';
}

/** `training_mode`, or any output beside y before opset 14. */
function isTraining(node: Node): boolean {
  return intAttribute(node, 'training_mode', 0) === 1 || node.outputs.slice(1).some((output) => output !== undefined);
}

/** The five inputs, all required. */
function inputsOf(node: Node): readonly [Value, Value, Value, Value, Value] {
  const [x, scale, bias, mean, variance] = node.inputs;
  if (x && scale && bias && mean && variance) return [x, scale, bias, mean, variance];
  throw refusal(node, 'five inputs', `${node.inputs.length}`, 'The model is malformed; export it again');
}

function freeze(graph: Graph, node: Node): void {
  const [, , , mean, variance] = inputsOf(node);
  adopt(graph, node, [mean, variance]);
  const attributes = attributesOf(node);
  graph.replaceNode(node, { opType: node.opType, inputs: node.inputs, outputs: node.outputs.slice(0, 1), attributes });
}

function train(graph: Graph, node: Node): RunningStatistic[] {
  const inputs = inputsOf(node);
  const [, , , mean, variance] = inputs;
  const sources = [mean, variance].map((value) => sourceOf(graph, node, value));
  const fresh = (label: string): Value =>
    graph.define(graph.freshName(`lossgraft/BatchNormTrain/${label}`), mean.dtype, mean.shape);
  const nexts = [fresh('running_mean'), fresh('running_var')];
  adopt(graph, node, nexts);
  graph.replaceNode(node, {
    opType: 'BatchNormTrain',
    domain: COMPOSITE_DOMAIN,
    inputs,
    outputs: [node.outputs[0], ...nexts, fresh('mean'), fresh('inverse_deviation')],
    attributes: attributesOf(node),
  });
  return [mean, variance].flatMap((current, i) => {
    const source = sources[i];
    const next = nexts[i];
    return source && next ? [{ current, source, next }] : [];
  });
}

function attributesOf(node: Node): NodeAttributes {
  return new Map([
    ['epsilon', float(floatAttribute(node, 'epsilon', 1e-5))],
    ['momentum', float(floatAttribute(node, 'momentum', 0.9))],
  ]);
}

/** Readers of the node's running statistics get these. */
function adopt(graph: Graph, node: Node, running: readonly Value[]): void {
  for (const [i, output] of node.outputs.slice(1).entries()) {
    const own = running[i];
    if (output && own && !graph.outputs.includes(output)) graph.replaceUses(output, own);
    if (!graph.isRead(output)) continue;
    const expected = 'running statistics that only the next step reads, and saved statistics that nothing reads';
    throw refusal(node, expected, `readers of "${output?.name ?? ''}"`, 'Export the model without that output');
  }
}

/** The initializer of a running statistic. */
function sourceOf(graph: Graph, node: Node, value: Value): InitializerSource {
  const tensor = value.producer?.opType === 'Constant' ? value.producer.attributes.get('value') : undefined;
  const source = graph.initializers.get(value) ?? (tensor?.type === 'tensor' ? tensor.value : undefined);
  const hint = `Use ${option('batchNorm', 'frozen')}, or export the model with its own running statistics for each layer`;
  if (!source) {
    const maker = value.producer
      ? `"${value.name}" computed by ${describeNode(value.producer)}`
      : `the input "${value.name}"`;
    throw refusal(node, 'running statistics that are constants', maker, hint);
  }
  const reads = node.inputs.filter((input) => input === value).length;
  if (value.uses.size === 1 && reads === 1 && !graph.outputs.includes(value)) return source;
  const others = [...value.uses].filter((other) => other !== node).map(describeNode);
  const found = `"${value.name}", which ${others.join(', ') || 'it reads twice or outputs'}${others.length > 0 ? ' reads too' : ''}`;
  throw refusal(
    node,
    'its own running statistics',
    found,
    `${hint}; ties of equal values are separated without ${option('keepTies')}`,
  );
}

function refusal(node: Node, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code: 'batch-norm', where: describeNode(node), expected, found, hint });
}
