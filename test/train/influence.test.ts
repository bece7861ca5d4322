import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Part } from '../../src/data/samples.ts';
import { fromTensors, open, type TrainOptions, train } from '../../src/index.ts';
import { spreadRows } from '../../src/trainer/influence.ts';
import { readTensors } from '../../src/validate/dataSet.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const CASE = join(ROOT, 'fixtures/cases/digits/ib/test_data_set_0');
const [images, labels] = readTensors(CASE, 'input').map(({ tensor }) => tensor);
/** PyTorch's float64 on these images: α = 1000, ε = 1e-3. */
const factors = Array.from(
  readTensors(CASE, 'output').find(({ name }) => name === 'ib_factor')?.tensor.data ?? [],
  Number,
);

/** Trains so little that the weights stay what they are. */
async function influenceOf(options: Partial<TrainOptions>) {
  if (!images || !labels) throw new Error('no inputs');
  const model = await open(join(DIGITS, 'model.onnx'));
  const [data, validation] = [fromTensors({ images, labels }), fromTensors({ images, labels })];
  const still = { epochs: 1, learningRate: 1e-30, folder: temporaryFolder() };
  const { influence } = await train(model, { ...still, data, validation, ...options });
  model.close();
  if (influence === null || 'missing' in influence) throw new Error(influence?.missing ?? 'none');
  return influence;
}

describe('the influence of training samples', () => {
  it.each<[string, Partial<TrainOptions>, number]>([
    ['ib', {}, 1000],
    ['a loss that weighs by none', { loss: 'ce' }, 1000],
    ['trained heads', { loss: 'ib', trainable: 'head' }, 1000],
    ['another α', { loss: 'ib-focal', alpha: 7 }, 7],
  ])('is PyTorch’s, for %s', async (_, options, alpha) => {
    const { top, classes, samples, of, ...found } = await influenceOf(options);
    expect([samples, of, found.alpha, found.epsilon]).toEqual([64, 64, alpha, 1e-3]);
    expect(factors.length).toBe(64);
    const expected = factors.map((factor, row) => ({ row, influence: 1000 / factor - 1e-3 }));
    const sorted = expected.toSorted((a, b) => b.influence - a.influence);
    for (const [i, sample] of top.entries()) {
      expect(sample.row).toBe(sorted[i]?.row);
      expect(sample.label).toBe(Number(labels?.data[sample.row]));
      expect(sample.influence / (sorted[i]?.influence ?? 0)).toBeCloseTo(1, 4);
      expect(((sample.factor / alpha) * 1000) / (factors[sample.row] ?? 0)).toBeCloseTo(1, 4);
    }
    const ofClass = expected.filter(({ row }) => Number(labels?.data[row]) === 3);
    const mean = ofClass.reduce((sum, { influence }) => sum + influence, 0) / ofClass.length;
    expect(classes[3]?.samples).toBe(ofClass.length);
    expect((classes[3]?.influence ?? 0) / mean).toBeCloseTo(1, 4);
  });

  it('is looked at in all rows of rare classes, and in equally many of the others', () => {
    const sizes = [1000, 300, 40, 5, 1];
    const all = sizes.flatMap((size, label) => Array<bigint>(size).fill(BigInt(label)));
    const rows = Uint32Array.from({ length: all.length }, (_, row) => row);
    const part = { samples: { labels: BigInt64Array.from(all) }, rows } as unknown as Part;
    const counts = (limit: number): number[] => {
      const chosen = spreadRows(part, limit, 3);
      expect(new Set(chosen).size).toBe(chosen.length);
      return sizes.map((_, label) => chosen.filter((row) => Number(all[row]) === label).length);
    };
    expect(counts(2000)).toEqual(sizes);
    expect(counts(246)).toEqual([100, 100, 40, 5, 1]);
    expect(counts(46)).toEqual([13, 13, 13, 5, 1]);
    expect(counts(2)).toEqual([1, 1, 1, 1, 1]);
    expect(spreadRows(part, 100, 3)).toEqual(spreadRows(part, 100, 3));
    expect(spreadRows(part, 100, 3)).not.toEqual(spreadRows(part, 100, 4));
  });
});
