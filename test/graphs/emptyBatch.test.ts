import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AugmentOptions, augment, fromTensors, open, run, train } from '../../src/index.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { EXCLUSIVE_LOSSES, lossesByName } from '../support/catalogue.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { lossModel } from '../support/lossModel.ts';

const DIGITS = join(ROOT, 'fixtures/digits/model.onnx');
const COUNTS = [130, 90, 63, 44, 31, 21, 15, 10, 7, 5];

const images: Tensor = { dtype: 'float32', dims: [0, 1, 8, 8], data: new Float32Array() };
const labels: Tensor = { dtype: 'int64', dims: [0], data: new BigInt64Array() };

describe('an empty batch', () => {
  const reductions = ['mean', 'sum', 'none'] as const;
  const cases = EXCLUSIVE_LOSSES.flatMap((loss) =>
    ['fused', 'literal'].flatMap((form) => reductions.map((reduction) => ({ loss, form, reduction }))),
  );
  // torch.nn.functional.cross_entropy of none: 0 as a sum; as a mean NaN, where ONNX leaves it open and ONNX Runtime gives 0. No gradient.
  it.each(cases)('$loss, $form, $reduction: no losses, no gradients', async ({ loss, form, reduction }) => {
    const model = await open(DIGITS);
    const path = join(temporaryFolder(), 'augmented.onnx');
    try {
      const options = { loss, form, reduction, classCounts: COUNTS, grad: ['logits', 'parameters'] } as AugmentOptions;
      await (await augment(model, options)).write(path);
    } finally {
      model.close();
    }
    const session = await openSession(path);
    try {
      const { loss: value, loss_per_sample, 'logits.grad': slope, ...rest } = await session.run({ images, labels });
      expect(value).toMatchObject(reduction === 'none' ? { dims: [0] } : { dims: [], data: Float32Array.of(0) });
      expect(loss_per_sample?.dims).toEqual([0]);
      expect(slope?.dims).toEqual([0, 10]);
      const weights = Object.entries(rest).filter(([name]) => /(weight|bias)\.grad$/.test(name));
      expect(weights).toHaveLength(8);
      for (const [name, { data }] of weights)
        expect(
          Array.from(data, Number).some((x) => x !== 0),
          name,
        ).toBe(false);
    } finally {
      await session.close();
    }
  });

  it.each(EXCLUSIVE_LOSSES)('%s, of classes whose number is unknown: none', async (name) => {
    const loss = lossesByName[name];
    if (!loss) throw new Error(name);
    const session = await openSession(lossModel({ loss, counts: COUNTS, gradient: 'whole' }).bytes);
    try {
      const logits: Tensor = { dtype: 'float32', dims: [0, 10], data: new Float32Array() };
      const norm = loss.needsFeatures ? { norm: { ...logits, dims: [0] } } : {};
      const results = await session.run({ logits, labels, ...norm });
      expect(results).toMatchObject({ loss: { data: Float32Array.of(0) }, loss_per_sample: { dims: [0] } });
      expect(results['logits.grad']?.dims).toEqual([0, 10]);
    } finally {
      await session.close();
    }
  });

  it('is refused as data', async () => {
    const data = fromTensors({ images, labels });
    const refused = { code: 'data-size', message: expect.stringMatching(/at least one/) };
    const model = await open(DIGITS);
    const folder = temporaryFolder();
    await expect(train(model, { data, folder, loss: 'ib', report: false })).rejects.toMatchObject(refused);
    const path = join(folder, 'augmented.onnx');
    await (await augment(model, { loss: 'ib' })).write(path);
    model.close();
    await expect(run(path, data)).rejects.toMatchObject(refused);
  });
});
