import { LossgraftError } from '../errors.ts';
import { isView } from '../ir/edit.ts';
import { type Graph, type InitializerSource, type Node, nearestNames, type Value } from '../ir/graph.ts';
import { elementCount } from '../tensor.ts';

/** A tensor of weights in the user's file, wherever it is kept. */
export interface Parameter {
  readonly value: Value;
  readonly source: InitializerSource;
}

/** Inputs of operators that are numbers but never weights: [operator, input]. */
const SETTINGS = new Set([
  'BatchNormalization 3',
  'BatchNormalization 4',
  'Resize 1',
  'Resize 2',
  'Upsample 1',
  'Clip 1',
  'Clip 2',
  'Pad 2',
  'Dropout 1',
  'OneHot 2',
  'Range 0',
  'Range 1',
  'Range 2',
  'QuantizeLinear 1',
  'DequantizeLinear 1',
  'lossgraft::BatchNormTrain 3',
  'lossgraft::BatchNormTrain 4',
]);

/**
 * All weights: float32 initializers and tensors of Constant nodes of rank 1 or more that some operator reads as data, in the
 * order of the file. Running statistics and settings such as a Clip's bounds are none.
 */
export function findParameters(graph: Graph): Parameter[] {
  const found: Parameter[] = [];
  for (const [value, source] of graph.initializers) {
    if (isView(source) && isWeight(value)) found.push({ value, source });
  }
  for (const node of graph.nodes) {
    const tensor = node.proto && node.opType === 'Constant' ? node.attributes.get('value') : undefined;
    const [value] = node.outputs;
    if (tensor?.type !== 'tensor' || !isView(tensor.value) || !value) continue;
    // One number in a Constant node is a factor of a formula.
    if (elementCount(tensor.value.dims) > 1 && isWeight({ ...value, ...typeOf(tensor.value) })) {
      found.push({ value, source: tensor.value });
    }
  }
  return found;
}

function typeOf(source: InitializerSource): Pick<Value, 'dtype' | 'shape'> {
  return { dtype: source.dtype, shape: source.dims };
}

function isWeight({ dtype, shape, uses, ...value }: Pick<Value, 'name' | 'dtype' | 'shape' | 'uses'>): boolean {
  if (dtype !== 'float32' || shape === undefined || shape.length === 0) return false;
  return [...uses].some((node) => node.inputs.some((input, i) => input?.name === value.name && !isSetting(node, i)));
}

function isSetting(node: Node, input: number): boolean {
  const op = node.domain === '' ? node.opType : `${node.domain}::${node.opType}`;
  return SETTINGS.has(`${op} ${input}`);
}

/**
 * The parameters that `trainable` names: `all`; `head`, those of the last linear layer; or patterns with `*`, separated by commas.
 *
 * @throws LossgraftError `no-parameters` if a pattern matches none.
 */
export function selectParameters(graph: Graph, trainable: string, logits: Value): Parameter[] {
  const all = findParameters(graph);
  if (trainable === 'all') return all;
  if (trainable === 'head') return headParameters(all, logits);
  return trainable
    .split(',')
    .map((pattern) => pattern.trim())
    .flatMap((pattern) => matching(all, pattern))
    .filter((parameter, i, list) => list.indexOf(parameter) === i);
}

function matching(all: readonly Parameter[], pattern: string): Parameter[] {
  const regex = globRegex(pattern);
  const found = all.filter(({ value }) => regex.test(value.name));
  if (found.length > 0) return found;
  const near = nearestNames(
    pattern.replaceAll('*', ''),
    all.map(({ value }) => value.name),
  );
  throw new LossgraftError({
    code: 'no-parameters',
    where: 'option trainable',
    expected: '"all", "head", or a pattern that matches the names of parameters',
    found: `"${pattern}", which matches none of ${all.length}`,
    hint:
      near.length > 0
        ? `Near names are ${near.map((name) => `"${name}"`).join(', ')}`
        : 'The model has no float32 weights',
  });
}

/** `*` stands for any characters. */
export function globRegex(pattern: string): RegExp {
  const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`);
}

/** What is read between the features and the logits: the weights of the last linear layer, its bias included. */
function headParameters(all: readonly Parameter[], logits: Value): Parameter[] {
  const byValue = new Map(all.map((parameter) => [parameter.value, parameter]));
  const head: Parameter[] = [];
  let value: Value | undefined = logits;
  while (value?.producer) {
    const node: Node = value.producer;
    const own = node.inputs.flatMap((input) => weightBehind(byValue, input));
    head.push(...own);
    if (LINEAR.has(node.opType)) break;
    value = node.inputs.find((input) => input !== undefined && weightBehind(byValue, input).length === 0);
  }
  if (head.length > 0) return head;
  throw new LossgraftError({
    code: 'no-parameters',
    where: 'option trainable',
    expected: 'a last linear layer with float32 weights before the logits',
    found: `none before "${logits.name}"`,
    hint: 'Name the parameters by patterns, or take --trainable all',
  });
}

const LINEAR = new Set(['Gemm', 'MatMul', 'Conv']);

/** The parameter that an input is, directly or through nodes that move it. */
function weightBehind(byValue: ReadonlyMap<Value, Parameter>, input: Value | undefined): Parameter[] {
  let value = input;
  while (value) {
    const found = byValue.get(value);
    if (found) return [found];
    const producer: Node | undefined = value.producer;
    if (!producer || !MOVES.has(producer.opType)) return [];
    value = producer.inputs[0];
  }
  return [];
}

const MOVES = new Set(['Identity', 'Transpose', 'Reshape', 'Cast']);

/** Makes a weight a plain input of the graph, under its own name. */
export function liftParameter(graph: Graph, value: Value): void {
  if (graph.initializers.has(value)) graph.initializers.delete(value);
  else if (value.producer) {
    const node = value.producer;
    graph.nodes.splice(graph.nodes.indexOf(node), 1);
    value.producer = undefined;
  }
  graph.inputs.push(value);
}
