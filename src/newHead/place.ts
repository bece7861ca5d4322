import { LossgraftError, option } from '../errors.ts';
import { describeNode, floatAttribute, intAttribute } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { isQuantised, isRounding, QUANTISED_HINT, quantisedBehind } from '../transform/quantised.ts';
import { elementsOf, type LinearLayer, type Stored } from './elements.ts';
import { integerLayer } from './integerLayer.ts';
import { type NotStored, storedBehind } from './stored.ts';

/**
 * Walks back from the scores to the layer that makes them.
 *
 * @param isOneScore whether it gives one score per sample: then a single number is its bias.
 * @throws LossgraftError `no-linear-head` naming the node at which the walk ended, or why its weights cannot be changed.
 */
export function findLayer(model: Model, graph: Graph, scores: Value, isOneScore: boolean): LinearLayer {
  let value = scores;
  for (;;) {
    const node = value.producer;
    if (node === undefined) throw refused(model, 'scores that no node makes');
    if (isQuantised(node) && !isRounding(node)) return integerLayerOf(model, graph, node);
    if (node.domain === '' && LAYERS.has(node.opType)) return layerOf(model, graph, node, isOneScore);
    const input = node.domain === '' ? dataInput(model, graph, node) : undefined;
    const behind = input === undefined ? quantisedBehind(value) : undefined;
    if (behind) return integerLayerOf(model, graph, behind);
    if (input === undefined) throw refused(model, describeNode(node));
    value = input;
  }
}

const LAYERS: ReadonlySet<string> = new Set(['Gemm', 'MatMul', 'Conv']);

/** The only non-constant input of a node. */
function dataInput(model: Model, graph: Graph, node: Node): Value | undefined {
  const fed = node.inputs.filter((input) => input && elementsOf(model, graph, input) === undefined);
  const [first, ...others] = new Set(fed);
  return node.opType === 'Reshape' || others.length === 0 ? first : undefined;
}

function integerLayerOf(model: Model, graph: Graph, node: Node): LinearLayer {
  const found = integerLayer(model, graph, node);
  if (found === undefined) throw quantised(model, node);
  return found;
}

function layerOf(model: Model, graph: Graph, node: Node, isOneScore: boolean): LinearLayer {
  const [features, w, c] = node.inputs;
  const rank = node.outputs[0]?.shape?.length ?? 2;
  if (!features || !w) throw refused(model, `${describeNode(node)} without weights`);
  const rankOf = (value: Value): number => elementsOf(model, graph, value)?.dims.length ?? value.shape?.length ?? 2;
  const isConv = node.opType === 'Conv';
  if (isConv && intAttribute(node, 'group', 1) !== 1)
    throw refused(model, `${describeNode(node)}, a convolution in groups`);
  const classesFirst = isConv || (node.opType === 'Gemm' && intAttribute(node, 'transB', 0) === 1);
  const weight = held(model, graph, { value: w, reader: node, axis: classesFirst ? 0 : rankOf(w) - 1 });
  const bias =
    c && (isOneScore || isPerClass(model, graph, c))
      ? held(model, graph, { value: c, reader: node, axis: rankOf(c) - 1 })
      : undefined;
  const isTurned = node.opType === 'Gemm' && intAttribute(node, 'transA', 0) === 1;
  return {
    node,
    features,
    layout: isConv ? 'channels' : isTurned ? 'columns' : 'rows',
    weight,
    bias,
    alpha: floatAttribute(node, 'alpha', 1),
    beta: floatAttribute(node, 'beta', 1),
    outputs: weight.tensor.dims[weight.axis] ?? 0,
    axis: isConv ? 1 : rank - 1,
  };
}

/** One number for all classes is not a bias. */
function isPerClass(model: Model, graph: Graph, value: Value): boolean {
  const dims = elementsOf(model, graph, value)?.dims;
  return dims === undefined || dims.at(-1) !== 1;
}

function held(model: Model, graph: Graph, given: Parameters<typeof storedBehind>[2]): Stored {
  const found = storedBehind(model, graph, given);
  if ('tensor' in found) return found;
  throw found.quantised ? quantised(model, found.node) : notHeld(model, given, found);
}

function notHeld(model: Model, { value, reader }: { value: Value; reader: Node }, { node }: NotStored): LossgraftError {
  const made = node === undefined ? 'is fed to the model' : `comes from ${describeNode(node)}`;
  return refused(model, `${describeNode(reader)}, whose weight "${value.name}" ${made}`);
}

function quantised(model: Model, node: Node | undefined): LossgraftError {
  const at = node === undefined ? '' : ` (${describeNode(node)})`;
  return refused(model, `quantised weights${at}`, QUANTISED_HINT.replace('Train', 'Change'));
}

function refused(
  { name }: Model,
  found: string,
  hint = `Name the scores with ${option('logits')}, or export the model with a linear layer (Gemm, MatMul, Conv) at its end`,
): LossgraftError {
  return new LossgraftError({
    code: 'no-linear-head',
    where: name,
    expected: 'a last linear layer whose weights are constants of the file, so that its classes can be changed',
    found,
    hint,
  });
}
