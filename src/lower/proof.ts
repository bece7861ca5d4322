import { createHash } from 'node:crypto';
import { COMPOSITE_DOMAIN } from '../contract.ts';
import { createEmitter, type Emitter, float, int, ints, type Value } from '../emit/index.ts';
import { graphEdit } from '../ir/edit.ts';
import { Graph } from '../ir/graph.ts';
import { worstDifference } from '../numbers.ts';
import { blankModel, editedBytes } from '../onnx/index.ts';
import { openSession } from '../runtime/session.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import { expand } from './expand.ts';
import type { LowerTarget } from './layouts.ts';
import { type Forms, lower } from './lower.ts';

/** A convolution with its surroundings in a network, to compare the forms. */
export interface ProofCase {
  readonly batch: number;
  readonly channels: number;
  readonly filters: number;
  readonly size: readonly [number, number];
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly pad?: number;
  readonly group?: number;
}

/** The cases of real networks: full and partial blocks, the first layer, strides, dilation, groups, depthwise. */
export const PROOF_CASES: readonly ProofCase[] = [
  { batch: 16, channels: 16, filters: 32, size: [6, 4], kernel: 3, pad: 1 },
  { batch: 16, channels: 32, filters: 16, size: [7, 6], kernel: 3, stride: 2, pad: 1 },
  { batch: 3, channels: 24, filters: 40, size: [5, 4], kernel: 1 },
  { batch: 2, channels: 32, filters: 24, size: [7, 8], kernel: 1, stride: 2 },
  { batch: 2, channels: 3, filters: 32, size: [9, 8], kernel: 3, stride: 2, pad: 1 },
  { batch: 3, channels: 24, filters: 24, size: [6, 7], kernel: 3, pad: 1, group: 24 },
  { batch: 2, channels: 32, filters: 32, size: [9, 9], kernel: 3, stride: 2, pad: 1, group: 32 },
  { batch: 16, channels: 16, filters: 16, size: [8, 9], kernel: 3, dilation: 2, pad: 2 },
];

/** The largest difference of two results, relative to the reference's largest element. Sums in another order differ by far less. */
export const PROOF_TOLERANCE = 1e-4;

export interface ProofResult {
  /** The largest difference, with its output. */
  readonly worst: number;
  readonly output: string;
}

/**
 * Runs a case in both forms. Forms for a wrong block size silently compute wrong numbers: this detects it.
 *
 * @throws LossgraftError if the runtime refuses the blocked form.
 */
export async function proveCase(forms: Omit<Forms, 'constant'>, block: number, proof: ProofCase): Promise<ProofResult> {
  const feeds: Record<string, Tensor> = {};
  const plain = await run(
    emitted(proof, feeds, (op) => expand(op, forms.expansions)),
    feeds,
  );
  const blocked = await run(blockedForm(forms, block, proof), feeds);
  let found: ProofResult = { worst: 0, output: '' };
  for (const [name, tensor] of Object.entries(plain)) {
    const other = blocked[name];
    const isLike = other?.dims.join() === tensor.dims.join();
    const worst = other && isLike ? worstDifference(tensor, other) : Number.POSITIVE_INFINITY;
    if (worst > found.worst) found = { worst, output: name };
  }
  return found;
}

function blockedForm(forms: Omit<Forms, 'constant'>, block: number, proof: ProofCase): Uint8Array {
  const target: LowerTarget = { block, batch: proof.batch };
  return emitted(proof, {}, (op) => lower(op, { ...forms, constant: () => undefined }, target));
}

/** A digest of the proof's networks as these rules write them, in blocks of 16: it changes with any rule. */
export function digestOf(forms: Omit<Forms, 'constant'>): string {
  const hash = createHash('sha256');
  for (const proof of PROOF_CASES) hash.update(blockedForm(forms, 16, proof));
  return hash.digest('hex').slice(0, 16);
}

function emitted(proof: ProofCase, feeds: Record<string, Tensor>, settle: (op: Emitter) => void): Uint8Array {
  const graph = new Graph();
  const op = createEmitter(graph, 17);
  const outputs = network(op, proof, feeds);
  const shapes = [...outputs.values()].map((value) => value.shape);
  graph.outputs.push(...outputs.values());
  settle(op);
  const settled = graph.outputs.splice(0);
  for (const [i, name] of [...outputs.keys()].entries()) {
    const source = settled[i];
    const output = graph.define(name, 'float32', shapes[i]);
    graph.addNode({ opType: 'Identity', inputs: [source], outputs: [output] });
    graph.outputs.push(output);
  }
  const model = blankModel(17, 'proof');
  return editedBytes(model, graphEdit(model, graph));
}

async function run(bytes: Uint8Array, feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await openSession(bytes, { name: 'proof of blocked forms' });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

/** Two consecutive convolutions with BatchNorm, activations, a branch and pooling, and their gradients. */
function network(op: Emitter, proof: ProofCase, feeds: Record<string, Tensor>): Map<string, Value> {
  const { batch, channels, filters, size, kernel, stride = 1, dilation = 1, pad = 0, group = 1 } = proof;
  const input = (name: string, dims: readonly number[], shift = 0): Value => {
    const value = op.graph.define(name, 'float32', dims);
    op.graph.inputs.push(value);
    feeds[name] = noise(name, dims, shift);
    return value;
  };
  const out = size.map((length) => Math.floor((length + 2 * pad - (kernel - 1) * dilation - 1) / stride) + 1);
  const x = input('x', [batch, channels, ...size]);
  const w = input('w', [filters, channels / group, kernel, kernel]);
  const shape = [batch, filters, ...out];
  const attributes = {
    kernel_shape: ints([kernel, kernel]),
    strides: ints([stride, stride]),
    dilations: ints([dilation, dilation]),
    pads: ints([pad, pad, pad, pad]),
    group: int(group),
  };
  const composite = (name: string, inputs: readonly Value[], like: Value): Value =>
    op.call(name, inputs, { domain: COMPOSITE_DOMAIN, attributes, dtype: 'float32', shape: like.shape });
  const conv = op.call('Conv', [x, w, input('bias', [filters])], { attributes, shape });
  const [scale, shift, mean, variance] = ['scale', 'shift', 'mean', 'variance'].map((name) =>
    input(name, [filters], name === 'variance' || name === 'scale' ? 2 : 0),
  );
  const vector = { dtype: 'float32', shape: [filters] } as const;
  const norm = op.callAll(
    'BatchNormTrain',
    [conv, scale, shift, mean, variance],
    [{ dtype: 'float32', shape }, vector, vector, vector, vector],
    { domain: COMPOSITE_DOMAIN, attributes: { epsilon: float(1e-5), momentum: float(0.9) } },
  );
  const [y = conv, nextMean = conv, nextVariance = conv, batchMean = conv, inverse = conv] = norm;
  const active = op.relu(y);
  const clipped = op.call('Clip', [op.add(active, conv), op.scalar(0.1, 'float32'), op.scalar(1.5, 'float32')], {
    shape,
  });
  const given = input('dy', shape);
  const inside = op.and(op.greater(clipped, op.scalar(0.1, 'float32')), op.less(clipped, op.scalar(1.5, 'float32')));
  const dy = op.mul(op.mul(given, op.cast(inside, 'float32')), op.cast(op.greater(active, 0), 'float32'));
  const [dNorm = dy, dScale = dy, dShift = dy] = op.callAll(
    'BatchNormTrainGrad',
    [dy, conv, scale, batchMean, inverse],
    [{ dtype: 'float32', shape }, vector, vector],
    { domain: COMPOSITE_DOMAIN },
  );
  const pooled = op.call('GlobalAveragePool', [clipped], { shape: [batch, filters, 1, 1] });
  const planes = op.expand(pooled, op.vector(shape));
  planes.shape = shape;
  // Many elements equal a bound of the Clip: ties.
  const halves = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
  const half = [batch, filters, ...out.map((length) => Math.floor(length / 2))];
  const tiles = op.call('MaxPool', [clipped], { attributes: halves, shape: half });
  const dTiles = op.call('MaxPoolGrad', [clipped, input('d_tiles', half)], {
    domain: COMPOSITE_DOMAIN,
    attributes: halves,
    dtype: 'float32',
    shape,
  });
  return new Map([
    ['tiles', tiles],
    ['d_clipped', dTiles],
    ['active', active],
    ['clipped', clipped],
    ['next_mean', nextMean],
    ['next_variance', nextVariance],
    ['d_scale', dScale],
    ['d_shift', dShift],
    ['d_bias', op.reduceSum(dy, [0, 2, 3])],
    ['dx', composite('ConvInputGrad', [dNorm, w, x], x)],
    ['dw', composite('ConvWeightGrad', [x, dNorm, w], w)],
    ['planes', op.add(planes, dNorm)],
  ]);
}

/** Repeatable numbers in −1…1. */
function noise(name: string, dims: readonly number[], shift: number): Tensor {
  const data = new Float32Array(elementCount(dims));
  let state = [...name].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 2147483647, 7);
  for (let i = 0; i < data.length; i++) {
    state = (state * 48271) % 2147483647;
    data[i] = (state / 2147483647) * 2 - 1 + shift;
  }
  return { dtype: 'float32', dims, data };
}
