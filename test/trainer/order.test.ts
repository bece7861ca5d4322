import { expect, it } from 'vitest';
import { joinHalves } from '../../src/classes/evidence.ts';
import type { Part } from '../../src/data/samples.ts';
import type { Tensor } from '../../src/tensor.ts';
import type { Answers, Job } from '../../src/thread/protocol.ts';
import type { Runner } from '../../src/thread/runner.ts';
import { watchOrder } from '../../src/trainer/order.ts';

const CLASSES = 3;
const LABELS = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2];
/** Of the validation part; the others are for training. Class 2 is in both. */
const HELD_OUT = [0, 1, 8, 9, 13];
const TRAINED = [2, 3, 4, 5, 6, 7, 10, 11, 12, 14];

function partOf(rows: readonly number[], looked: number[] = []): Part {
  const read = async (chosen: Uint32Array): Promise<Record<string, Tensor>> => {
    looked.push(...chosen);
    return { row: { dtype: 'float32', dims: [chosen.length], data: Float32Array.from(chosen) } };
  };
  const labels = BigInt64Array.from(LABELS, BigInt);
  const own = { name: 'data', size: LABELS.length, labels, rowBytes: 4, isFresh: false, notes: [] };
  return { samples: { ...own, describeRow: String, read }, rows: Uint32Array.from(rows) };
}

/** A model that is sure of the class after a row's label. */
function scoresOf(rows: ArrayLike<number>): Float32Array {
  return Float32Array.from({ length: rows.length * CLASSES }, (_, i) => {
    const label = LABELS[rows[Math.floor(i / CLASSES)] ?? 0] ?? 0;
    return i % CLASSES === (label + 1) % CLASSES ? 9 : 0;
  });
}

const runner: Runner = {
  async ask<J extends Job>(job: J) {
    if (job.kind !== 'evaluate') throw new Error(job.kind);
    const rows = Array.from(job.feeds.row?.data ?? [], Number);
    const data = scoresOf(rows);
    const results: unknown = { logits: { dtype: 'float32', dims: [rows.length, CLASSES], data } };
    return results as Answers[J['kind']];
  },
  close: async () => {},
};

const trainCounts = [6, 3, 1];
const judging = { logits: 'logits', batches: { fixed: undefined, trained: 4 } };

async function evidenceOf(hasOneSource: boolean) {
  const looked: number[] = [];
  const validation = partOf(HELD_OUT);
  const watch = watchOrder({ train: partOf(TRAINED, looked), validation, hasOneSource, trainCounts, seed: 0 });
  watch.look(scoresOf(HELD_OUT), validation.rows);
  const evidence = await watch.finish(runner, 'evaluation', judging);
  const all = joinHalves(evidence.halves);
  return {
    looked: looked.sort((a, b) => a - b),
    samples: [...all].map(([label, { samples }]) => [label, samples]),
    picks: [...all].map(([label, { picks }]) => [label, [...picks]]),
  };
}

const SAMPLES = [
  [0, 6],
  [1, 3],
  [2, 1],
];
const PICKS = [
  [0, [[1, 6]]],
  [1, [[2, 3]]],
  [2, [[0, 1]]],
];

it('validation samples that are held out count in place of training samples, which then need not be computed', async () => {
  expect(await evidenceOf(true)).toEqual({ looked: [2, 3, 4, 5, 10], samples: SAMPLES, picks: PICKS });
});

it('validation data of their own say nothing of the order of the training data', async () => {
  expect(await evidenceOf(false)).toEqual({ looked: TRAINED, samples: SAMPLES, picks: PICKS });
});
