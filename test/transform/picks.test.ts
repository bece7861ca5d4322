import { describe, expect, it } from 'vitest';
import { augment, inspect, trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { runBytes, withOutputs } from '../support/grafted.ts';
import { factorOf } from '../support/oracle.ts';
import { type HostSpec, trainHost } from '../support/trainHosts.ts';

const TOKENS = 5;
const WIDTH = 4;
const axis = (i: number) => ({ name: 'axis', type: 2, i }) as const;

/** Scores of every token, of which those of one token per sample become the logits: that with the largest first channel. */
const scores: HostSpec['lines'] = [
  ['MatMul(tokens, w1) -> a'],
  ['Relu(a) -> h'],
  ['MatMul(h, w2) -> m'],
  ['Add(m, bias) -> scores'],
  ['Gather(tokens, zero) -> channel', axis(2)],
  ['Squeeze(channel, two) -> flat'],
  ['ArgMax(flat) -> last', axis(1), { name: 'keepdims', type: 2, i: 0 }],
];
/** As dynamo=True writes it, but for the batch's own indices. */
const byGatherND: HostSpec['lines'] = [
  ['Unsqueeze(last, one) -> places'],
  ['GatherND(scores, places) -> logits', { name: 'batch_dims', type: 2, i: 1 }],
];
/** As dynamo=False writes it. */
const byFlatten: HostSpec['lines'] = [
  ['Shape(last) -> shape'],
  ['Expand(five, shape) -> fives'],
  ['CumSum(fives, zero) -> ends'],
  ['Sub(ends, five) -> starts'],
  ['Add(last, starts) -> rows'],
  ['Flatten(scores) -> all', axis(2)],
  ['Gather(all, rows) -> picked', axis(0)],
  ['Reshape(picked, wide) -> logits'],
];

function host(lines: HostSpec['lines']) {
  return trainHost({
    lines: [...scores, ...lines],
    weights: { w1: [WIDTH, WIDTH], w2: [WIDTH, 3], bias: [3] },
    integers: { zero: [0], one: [1], two: [2], five: [TOKENS], wide: [-1, 3] },
    inputs: { tokens: ['N', TOKENS, WIDTH] },
  });
}

const rows = 3;
const data = Float32Array.from({ length: rows * TOKENS * WIDTH }, (_, i) => Math.sin(i * i * 0.37 + 1));
const tokens: Tensor = { dtype: 'float32', dims: [rows, TOKENS, WIDTH], data };
const x: Tensor = { dtype: 'float32', dims: [rows, 4], data: new Float32Array(rows * 4) };
const labels: Tensor = { dtype: 'int64', dims: [rows], data: BigInt64Array.of(2n, 0n, 1n) };

describe.each([
  ['GatherND', byGatherND],
  ['Flatten and Gather', byFlatten],
] as const)('the scores of one token, picked by %s', (_, lines) => {
  it('are weighed by the features of that token', async () => {
    const model = await host(lines);
    expect(await inspect(model)).toMatchObject({ classes: 3, features: { name: 'h', shape: ['N', TOKENS, WIDTH] } });
    const graft = await augment(model, { loss: 'ib' });
    const run = await runBytes(withOutputs(graft.bytes(), ['h', 'logits']), { x, tokens, labels });
    const [logits, h] = ['logits', 'h'].map((name) => toNumbers(run[name] as Tensor));
    const factors = Array.from({ length: rows }, (_, n) => {
      const first = Array.from({ length: TOKENS }, (_, t) => data[(n * TOKENS + t) * WIDTH] ?? 0);
      const start = (n * TOKENS + first.indexOf(Math.max(...first))) * WIDTH;
      const norm = h?.slice(start, start + WIDTH).reduce((sum, value) => sum + Math.abs(value), 0) ?? 0;
      const sample = { logits: logits?.slice(n * 3, n * 3 + 3) ?? [], label: [2, 0, 1][n] ?? 0, norm, weight: 1 };
      return factorOf(sample, { alpha: 1000, epsilon: 1e-3 });
    });
    const found = toNumbers(run.ib_factor as Tensor);
    for (const [n, factor] of factors.entries()) expect((found[n] ?? 0) / factor).toBeCloseTo(1, 5);
  });

  it('train, the head or all', async () => {
    const model = await host(lines);
    const trained = async (trainable: string) => (await trainGraph(model, { loss: 'ib', trainable })).report.trainable;
    expect([...(await trained('head'))].sort()).toEqual(['bias', 'w2']);
    expect(await trained('all')).toHaveLength(3);
  });
});
