import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open, openData, type TrainOptions, type TrainResult, train } from '../../src/index.ts';
import { open as openModel } from '../../src/model.ts';
import { networkSize } from '../../src/train/network.ts';
import { describePlan, planOf, settle } from '../../src/train/plan.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

async function run(options: Partial<TrainOptions>): Promise<TrainResult> {
  const model = await open(join(DIGITS, 'model.onnx'));
  const data = await openData(join(DIGITS, 'train.npz'));
  try {
    return await train(model, { report: false, folds: 1, ...options, data, folder: temporaryFolder() });
  } finally {
    data.close();
    model.close();
  }
}

const at = { data: { name: '', columns: new Map(), close: () => {} }, folder: '' } as unknown as TrainOptions;
const about = { network: { trained: 1000, hasAttention: false }, samples: 6400 };

describe('without a loss', () => {
  it('half of a correction is trained, by AdamW at 0.003, and the last epoch is taken', async () => {
    const { arms, schedule, notes } = await run({ epochs: 2 });
    expect(arms.map(({ name }) => name)).toEqual(['logit-adjustment']);
    expect(schedule).toMatchObject({ epochs: 2, rate: 3e-3, kind: 'cosine', warmup: 0.5 });
    expect(arms[0]?.best.epoch).toBe(2);
    expect(notes.join('\n')).toContain(
      'Method half: logit adjustment with τ 0.5; adamw, learning rate 0.003, cosine, 2 epochs, of which the last is taken',
    );
  });

  it('τ is ½ to the digit', async () => {
    const how = { epochs: 1, optimizer: 'adamw', learningRate: 1e-3, schedule: 'cosine', warmup: 0.25 } as const;
    const [half, same, whole] = await Promise.all([
      run({ epochs: 1, learningRate: 1e-3 }),
      run({ ...how, loss: 'logit-adjustment', tau: 0.5 }),
      run({ ...how, loss: 'logit-adjustment' }),
    ]);
    expect(half.history.at(-1)?.trainLoss).toBe(same.history.at(-1)?.trainLoss);
    expect(half.history.at(-1)?.trainLoss).not.toBe(whole.history.at(-1)?.trainLoss);
  });

  it('other methods are other losses', async () => {
    const names = async (options: Partial<TrainOptions>) =>
      (await run({ epochs: 1, ...options })).arms.map(({ name }) => name);
    expect(await names({ goal: 'balanced-accuracy' })).toEqual(['balanced-softmax']);
    expect(await names({ method: 'auto', baseline: true })).toEqual([
      'logit-adjustment',
      'balanced-softmax',
      'ce+sampled',
      'ce+inverse',
      'ce',
    ]);
  });

  it('a loss and a method exclude each other, and what only a loss has is refused', async () => {
    await expect(run({ loss: 'ib', method: 'half' })).rejects.toThrow(/either .method. or .loss./);
    await expect(run({ classWeights: 'inverse' })).rejects.toThrow(/classWeights.*without .loss./);
    await expect(run({ ibFrom: 1 })).rejects.toThrow(/ibFrom.*without .loss./);
    await expect(run({ alpha: 'auto' })).rejects.toThrow(/option alpha/);
  });
});

describe('the plan', () => {
  it('with a loss is what it was: sgd, 0.01, constant, 10 epochs, the best', () => {
    const plan = settle(planOf({ ...at, loss: 'ib' }), at, about);
    expect(plan.schedule).toMatchObject({ epochs: 10, rate: 0.01, kind: 'constant', warmup: 0 });
    expect(plan).toMatchObject({ optimizer: 'sgd', select: 'best', selectBy: 'balanced', safeLoss: null });
  });

  it('is safe where it is the one that was measured', () => {
    const isSafe = (options: Record<string, unknown>) => planOf({ ...at, ...options }).safeLoss !== null;
    expect(isSafe({})).toBe(true);
    expect(isSafe({ epochs: 3, batchSize: 16, trainable: 'head' })).toBe(true);
    for (const other of [{ method: 'full' }, { tau: 1 }, { learningRate: 0.1 }, { goal: 'balanced-accuracy' }])
      expect(isSafe(other)).toBe(false);
  });

  it('takes a smaller rate for attention', async () => {
    const model = await openModel(join(ROOT, 'fixtures/sentences/model.onnx'));
    const network = await networkSize(model, { trainable: 'all', logits: undefined });
    // Attention that stays as it is does not count.
    const ofHead = await networkSize(model, { trainable: 'head', logits: undefined });
    model.close();
    expect(network.hasAttention).toBe(true);
    expect(ofHead.hasAttention).toBe(false);
    expect(settle(planOf(at), at, { ...about, network: ofHead }).schedule.rate).toBe(3e-3);
    // The layer norms of this fixture are as they were initialised.
    const fresh = settle(planOf(at), at, { ...about, network });
    expect(fresh.schedule.rate).toBe(3e-3);
    expect(describePlan(fresh).join()).toContain('so the network was never trained');
    const known = settle(planOf(at), at, { ...about, network: { ...network, isFresh: false } });
    expect(known.schedule.rate).toBe(1e-4);
    expect(describePlan(known).join()).not.toContain('never trained');
    const digits = await openModel(join(DIGITS, 'model.onnx'));
    expect(await networkSize(digits, { trainable: 'head', logits: undefined })).toEqual({
      trained: 650,
      hasAttention: false,
      isFresh: false,
    });
    digits.close();
  });
});
