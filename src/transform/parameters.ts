import { LossgraftError, option } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import { isView } from '../ir/edit.ts';
import type { Graph, InitializerSource, Node, Value } from '../ir/graph.ts';
import { nearestNames } from '../ir/nearestNames.ts';
import { elementCount } from '../tensor.ts';
import { isCut } from './constants.ts';
import { isNamedNumber, rescaledInputs, whyNoWeight } from './literals.ts';
import { isQuantised, isRounding, QUANTISED_HINT, quantisedBehind, whyNoFloats } from './quantised.ts';

/** A weight tensor in the user's file, wherever it is stored. */
export interface Parameter {
  readonly value: Value;
  readonly source: InitializerSource;
}

/** Numeric inputs of operators that are never weights: [operator, input]. */
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
  'lossgraft::BatchNormTrain 3',
  'lossgraft::BatchNormTrain 4',
]);

/** A tensor that is read as data like a weight, but is not one. */
export interface LeftOut extends Parameter {
  readonly why: string;
}

export interface FoundParameters {
  readonly parameters: readonly Parameter[];
  readonly leftOut: readonly LeftOut[];
}

/**
 * All weights: float32 initializers and tensors of Constant nodes of rank 1 or more, and learned numbers of rank 0, that some operator
 * reads as data, in the order of the file. Running statistics and settings such as a Clip's bounds are left out, and so are constants of
 * formulas and buffers, as far as a file distinguishes them from weights.
 */
export function findParameters(graph: Graph): FoundParameters {
  const parameters: Parameter[] = [];
  const leftOut: LeftOut[] = [];
  const inputs = rescaledInputs(graph);
  for (const { value, source } of candidates(graph)) {
    const why = whyNoWeight(graph, value, source.dims, inputs);
    if (why === undefined) parameters.push({ value, source });
    else leftOut.push({ value, source, why });
  }
  return { parameters, leftOut };
}

function* candidates(graph: Graph): Iterable<Parameter> {
  for (const [value, source] of graph.initializers) {
    if (!isView(source) || !isData(value, source)) continue;
    if (source.dims.length > 0 || isNamedNumber(graph, value)) yield { value, source };
  }
  for (const node of graph.nodes) {
    const tensor = node.proto && node.opType === 'Constant' ? node.attributes.get('value') : undefined;
    const [value] = node.outputs;
    if (tensor?.type !== 'tensor' || !isView(tensor.value) || !value) continue;
    // One number in a Constant node is a factor of a formula.
    if (elementCount(tensor.value.dims) > 1 && isData(value, tensor.value)) yield { value, source: tensor.value };
  }
}

/** Notes on {@link LeftOut}, if there are any; `option` accepts their names. */
export function leftOutNotes(leftOut: readonly LeftOut[], option: string): string[] {
  if (leftOut.length === 0) return [];
  const shown = leftOut.slice(0, 3).map(({ value, why }) => `"${value.name}" (${why})`);
  const more = leftOut.length > shown.length ? ', …' : '';
  const count = `${leftOut.length} float32 tensors that operators read are not parameters`;
  return [`${count}: ${shown.join(', ')}${more}. ${option} can still name them`];
}

function isData(value: Value, { dtype }: InitializerSource): boolean {
  if (dtype !== 'float32') return false;
  return [...value.uses].some(
    (node) => node.captures.includes(value) || node.inputs.some((input, i) => input === value && !isSetting(node, i)),
  );
}

/** Scales of quantised operators are settings, too. */
function isSetting(node: Node, input: number): boolean {
  if (isRounding(node)) return node.opType === 'DequantizeLinear' || input !== 0;
  if (isQuantised(node)) return true;
  const op = node.domain === '' ? node.opType : `${node.domain}::${node.opType}`;
  return SETTINGS.has(`${op} ${input}`);
}

/**
 * The parameters that `trainable` selects, a comma-separated list of: `all`; `head`, the last linear layer; patterns with `*`; and names,
 * including tensors that are otherwise left out.
 *
 * @throws LossgraftError `no-parameters` if an entry matches none.
 */
export function selectParameters(graph: Graph, trainable: string, logits: Value): FoundParameters {
  const found = findParameters(graph);
  const parts = trainable.split(',').map((part) => part.trim());
  const isNamed = found.leftOut.some(({ value }) => parts.includes(value.name));
  if (found.parameters.length === 0 && !isNamed) throw noFloats(graph);
  const parameters = [...new Set(parts.flatMap((part) => selected(graph, found, part, logits)))];
  const leftOut = parts.includes('all') ? found.leftOut.filter((each) => !parameters.includes(each)) : [];
  return { parameters, leftOut };
}

function noFloats(graph: Graph): LossgraftError {
  return new LossgraftError({
    code: 'no-parameters',
    where: 'the model',
    expected: 'float32 weights to train',
    ...whyNoFloats(graph),
  });
}

function selected(
  graph: Graph,
  { parameters, leftOut }: FoundParameters,
  part: string,
  logits: Value,
): readonly Parameter[] {
  if (part === 'all') return parameters;
  if (part === 'head') return headParameters(graph, parameters, logits);
  const named = leftOut.find(({ value }) => value.name === part);
  return named ? [named] : matching(parameters, part);
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
    hint: `Similar names are ${near.map((name) => `"${name}"`).join(', ')}`,
  });
}

/** `*` stands for any characters. */
export function globRegex(pattern: string): RegExp {
  const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.*')}$`);
}

/** The parameters between the features and the logits: those of the last linear layer, or of both if two are added, including biases. */
function headParameters(graph: Graph, all: readonly Parameter[], logits: Value): Parameter[] {
  const byValue = new Map(all.map((parameter) => [parameter.value, parameter]));
  const found = new Set<Parameter>();
  const passed = new Set<Value>([logits]);
  let quantised = quantisedBehind(logits);
  for (const { producer: node } of passed) {
    if (quantised) break;
    if (!node) continue;
    quantised = node.inputs[1] && LINEAR.has(node.opType) ? quantisedBehind(node.inputs[1]) : undefined;
    for (const parameter of node.inputs.flatMap((input) => weightBehind(graph, byValue, input))) found.add(parameter);
    if (LINEAR.has(node.opType)) continue;
    const data = node.inputs.filter((input) => input !== undefined && weightBehind(graph, byValue, input).length === 0);
    for (const value of JOINS.has(node.opType) ? data : data.slice(0, 1)) if (value) passed.add(value);
  }
  const head = [...found];
  if (quantised) throw noHead(`a quantised one (${describeNode(quantised)})`, QUANTISED_HINT);
  if (head.length > 0) return head;
  throw noHead(
    `none before "${logits.name}"`,
    `Name the parameters with patterns, or use ${option('trainable', 'all')}`,
  );
}

function noHead(found: string, hint: string): LossgraftError {
  const expected = 'a last linear layer with float32 weights before the logits';
  return new LossgraftError({ code: 'no-parameters', where: 'option trainable', expected, found, hint });
}

const LINEAR = new Set(['Gemm', 'MatMul', 'Conv']);
/** The node where scores of several heads meet, as in distilled transformers. */
const JOINS = new Set(['Add', 'Sub', 'Sum', 'Mean', 'Concat', 'Max', 'Min']);

/** The parameter behind an input, directly or through nodes that move it. */
function weightBehind(graph: Graph, byValue: ReadonlyMap<Value, Parameter>, input: Value | undefined): Parameter[] {
  let value = input;
  while (value) {
    const found = byValue.get(value);
    if (found) return [found];
    const producer: Node | undefined = value.producer;
    if (!producer || !(MOVES.has(producer.opType) || isCut(graph, producer))) return [];
    value = producer.inputs[0];
  }
  return [];
}

const MOVES = new Set(['Identity', 'Transpose', 'Reshape', 'Cast', 'QuantizeLinear', 'DequantizeLinear']);

/** Turns a weight into a plain input of the graph, under its own name. */
export function liftParameter(graph: Graph, value: Value): void {
  if (graph.initializers.has(value)) graph.initializers.delete(value);
  else if (value.producer) {
    const node = value.producer;
    value.producer = undefined;
    graph.remove(node);
  }
  graph.inputs.push(value);
}
