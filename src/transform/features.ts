import { LossgraftError, option } from '../errors.ts';
import { describeNode, intAttribute } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { formatShape } from '../ir/print.ts';
import { isConstant, isCut } from './constants.ts';
import type { FoundTensor } from './logits.ts';
import { isQuantise, QUANTISED_HINT, quantisedBehind } from './quantised.ts';
import { laysRows, picksRows } from './tokenRows.ts';

/** The features, and the remaining operations on them. */
export interface Features extends FoundTensor {
  /** For a convolution head: they are averaged over space. */
  readonly pool: boolean;
  /** For a head that scores every token: the nodes that select the samples' scores, in order. */
  readonly tokenRows: readonly Node[];
}

/** Nodes between the linear head and the logits that only relabel or carry the scores. */
const CARRIERS = new Set('Identity Cast Flatten Reshape Squeeze Dropout QuantizeLinear DequantizeLinear'.split(' '));
const RESHAPES = new Set(['Flatten', 'Reshape', 'Squeeze']);
const POOLS = new Set(['GlobalAveragePool', 'AveragePool', 'ReduceMean']);

/**
 * The features: the activations that the last linear layer reads, by walking back from the logits.
 *
 * @throws LossgraftError `no-features` naming the node at which the walk ended and what to do.
 */
export function findFeatures(graph: Graph, logits: Value): Features {
  let value = logits;
  let pooled = false;
  let passedRelu: Node | undefined;
  let isRounded = false;
  const tokenRows: Node[] = [];
  for (;;) {
    const node = value.producer;
    if (!node) throw noFeatures(logits, 'nothing: the logits are an input of the model');
    if (picksRows(node) || (tokenRows.length > 0 && laysRows(node))) {
      tokenRows.unshift(node);
      value = first(node, logits);
    } else if (tokenRows.length > 0 && RESHAPES.has(node.opType)) throw refuse(logits, node);
    else if (node.domain === '' && (CARRIERS.has(node.opType) || (isRounded && isCut(graph, node)))) {
      isRounded ||= isQuantise(node);
      value = first(node, logits);
    } else if (node.domain === '' && POOLS.has(node.opType)) [value, pooled] = [first(node, logits), true];
    else if (node.opType === 'Relu' && pooled) [value, passedRelu] = [first(node, logits), node];
    else return { ...headFeatures(graph, logits, node, { pooled, passedRelu, tokenRows }), tokenRows };
  }
}

function first(node: Node, logits: Value): Value {
  const input = node.inputs[0];
  if (!input) throw noFeatures(logits, `${describeNode(node)} without an input`);
  return input;
}

/** The nodes between the head and the logits. */
interface Passed {
  readonly pooled: boolean;
  readonly passedRelu: Node | undefined;
  readonly tokenRows: readonly Node[];
}

type Head = Omit<Features, 'tokenRows'>;

function headFeatures(graph: Graph, logits: Value, node: Node, passed: Passed): Head {
  const linear = node.opType === 'Add' ? biased(graph, node) : node;
  if (linear?.domain === '' && (linear.opType === 'Gemm' || linear.opType === 'MatMul')) {
    return gemmFeatures(graph, logits, linear, passed);
  }
  if (linear?.domain === '' && linear.opType === 'Conv') return convFeatures(logits, linear, passed);
  throw refuse(logits, node);
}

/** The matrix product or convolution to whose result a constant bias is added. */
function biased(graph: Graph, add: Node): Node | undefined {
  const [a, b] = add.inputs;
  if (!a || !b) return undefined;
  if (isConstant(graph, b)) return a.producer;
  return isConstant(graph, a) ? b.producer : undefined;
}

function gemmFeatures(graph: Graph, logits: Value, node: Node, { pooled, tokenRows }: Passed): Head {
  const [features, weight] = node.inputs;
  if (!features || !weight) throw noFeatures(logits, `${describeNode(node)} without inputs`);
  if (pooled) throw noFeatures(logits, `a pooling after ${describeNode(node)}`);
  if (!isConstant(graph, weight)) throw noFeatures(logits, `${describeNode(node)}, whose weight is computed`);
  if (intAttribute(node, 'transA', 0) !== 0) throw noFeatures(logits, `${describeNode(node)} with transA`);
  const [pick] = tokenRows;
  const rank = pick ? pick.inputs[0]?.shape?.length : 2;
  if (features.shape !== undefined && features.shape.length !== rank) {
    throw noFeatures(logits, `${describeNode(node)}, which reads ${formatShape(features.shape)} and not [N, D]`);
  }
  const rows = pick ? ', of the tokens whose scores are selected' : '';
  return { value: features, how: `activation input of the last ${describeNode(node)}${rows}`, pool: false };
}

function convFeatures(logits: Value, node: Node, { pooled, passedRelu, tokenRows }: Passed): Head {
  const [features, weight] = node.inputs;
  if (!features || !weight) throw noFeatures(logits, `${describeNode(node)} without inputs`);
  const kernel = weight.shape?.slice(2);
  if (tokenRows.length > 0) throw refuse(logits, node);
  if (!kernel?.every((dim) => dim === 1)) {
    throw noFeatures(logits, `${describeNode(node)} with a kernel of ${formatShape(weight.shape)}, not 1x1`);
  }
  const tail = passedRelu ? ', Relu' : '';
  const pooling = pooled ? ', averaged over space as in the head' : '';
  return {
    value: features,
    how: `activation input of the last 1x1 ${describeNode(node)}${tail}${pooling}`,
    pool: true,
  };
}

const ACTIVATIONS = new Set([
  'Relu',
  'LeakyRelu',
  'PRelu',
  'Elu',
  'Selu',
  'Celu',
  'Clip',
  'Tanh',
  'Sigmoid',
  'HardSigmoid',
  'HardSwish',
  'Gelu',
  'Softplus',
]);

function refuse(logits: Value, node: Node): LossgraftError {
  const at = describeNode(node);
  const quantised = node.outputs[0] && quantisedBehind(node.outputs[0]);
  if (quantised) return noFeatures(logits, `a quantised layer, ${describeNode(quantised)}`, QUANTISED_HINT);
  if (ACTIVATIONS.has(node.opType)) {
    const before = node.inputs[0]?.name ?? '';
    return noFeatures(
      logits,
      `an activation after the last linear layer, ${at}`,
      `The influence of a sample is derived for logits that are linear in the features: take the scores before the activation with ${option('logits', before)}, or keep these and name the features with ${option('features')}`,
    );
  }
  if (node.opType === 'BatchNormalization') {
    const before = node.inputs[0]?.name ?? '';
    return noFeatures(
      logits,
      `a normalisation after the last linear layer, ${at}`,
      `Take the scores before it with ${option('logits', before)}, or name the features with ${option('features')}`,
    );
  }
  return noFeatures(logits, at);
}

function noFeatures(logits: Value, found: string, hint?: string): LossgraftError {
  return new LossgraftError({
    code: 'no-features',
    where: `logits "${logits.name}"`,
    expected: 'a last linear layer (Gemm, MatMul with or without Add, 1x1 Conv) that produces the logits',
    found,
    hint:
      hint ??
      `Name the input of the last linear layer with ${option('features')} (and the scores with ${option('logits')}), or choose a loss that needs no features`,
  });
}
