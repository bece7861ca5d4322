import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type AugmentOptions, inspect, open, validate } from '../../src/index.ts';
import { augmentFile, bitsOf, runBytes } from '../support/grafted.ts';
import { dataOf, expectChecked, findVariants } from './zoo.ts';

interface Case {
  readonly augment: AugmentOptions;
  readonly expect: { readonly features_dim: number; readonly classes: number };
}

describe.each(findVariants().map((variant) => [variant.name, variant] as const))('%s', (_, variant) => {
  const ib: Case = JSON.parse(readFileSync(join(variant.folder, 'ib/case.json'), 'utf8'));

  test('logits and features are found', async () => {
    const model = await open(variant.model);
    const { classes, features } = await inspect(model);
    model.close();
    expect(classes).toBe(ib.expect.classes);
    expect('problem' in features ? features.problem : features.shape?.[1]).toBe(ib.expect.features_dim);
  });

  test('ce and ib are PyTorch’s', async () => {
    const { cases } = await validate(['ce', 'ib'].map((loss) => join(variant.folder, loss)));
    const failed = cases.filter(({ verdict }) => verdict === 'fail');
    expect(failed).toEqual([]);
    expect(cases).toHaveLength(2);
  });

  test('the outputs are the same bits as before, and the file passes onnx.checker', async (context) => {
    const { feeds, labels } = dataOf(variant);
    const { bytes } = await augmentFile(variant.model, ib.augment);
    const before = await runBytes(variant.model, feeds);
    const target = { dtype: 'int64', dims: [labels.length], data: BigInt64Array.from(labels, BigInt) } as const;
    const after = await runBytes(bytes, { ...feeds, labels: target });
    expect(Object.keys(before)).toEqual(['logits']);
    for (const [name, tensor] of Object.entries(before)) {
      const other = after[name];
      expect(other !== undefined && bitsOf(other) === bitsOf(tensor), name).toBe(true);
    }
    expectChecked(bytes, context);
  });
});
