import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromTensors, open, type TrainOptions, type TrainResult, train } from '../../src/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { readOnnx } from '../support/onnxFile.ts';
import { digits, MODEL, named, trained } from '../support/otherClasses.ts';

describe('advice', () => {
  it('names the one option that helps', async () => {
    const run = (): string => join(temporaryFolder(), 'run');
    using strings = await open(join(ROOT, 'fixtures/newHead/metadata.onnx'));
    const given = (names: readonly string[], more: Partial<TrainOptions> = {}): Promise<TrainResult> => {
      const x: Tensor = { dtype: 'float32', dims: [names.length, 4], data: new Float32Array(4 * names.length) };
      const data = fromTensors({ x, labels: { dtype: 'string', dims: [names.length], data: [...names] } }, 'data');
      return train(strings, { report: false, ...more, data, folder: run() });
    };
    const hint = (error: unknown) => ({ problem: { hint: error } });
    await expect(given(['wolf', 'yak', 'wolf', 'yak'])).rejects.toMatchObject(
      hint(expect.stringContaining('`head: "new"`')),
    );
    await expect(given(['ant', 'bee', 'wolf', 'ant'])).rejects.toMatchObject(
      hint(expect.stringContaining('`addClasses: "wolf"`')),
    );
    await expect(given(['ant', 'fox', 'ant', 'fox'], { addClasses: ['gnu'] })).rejects.toMatchObject(
      hint(expect.stringContaining('`addClasses`')),
    );
    using digitsModel = await open(MODEL);
    const eleven = await named('train', (digit) => `class ${digit === 0 ? 'x' : digit}${digit === 1 ? 'y' : ''}`);
    const [images] = [eleven.columns.get('images')];
    const labels: Tensor = {
      dtype: 'int64',
      dims: [416],
      data: BigInt64Array.from({ length: 416 }, (_, i) => BigInt(i % 12)),
    };
    const data = fromTensors({ images: (await images?.read(0, 416)) as Tensor, labels });
    await expect(train(digitsModel, { report: false, data, folder: run() })).rejects.toMatchObject(
      hint(expect.stringContaining('`head: "new"`')),
    );
  });

  it('does not call values that are no indices indices', async () => {
    using model = await open(join(ROOT, 'fixtures/names/values.onnx'));
    const x: Tensor = { dtype: 'float32', dims: [4, 2], data: new Float32Array(8) };
    const labels: Tensor = { dtype: 'int64', dims: [4], data: BigInt64Array.of(70n, 71n, 70n, 71n) };
    const [name = ''] = Object.keys(readOnnx(readFileSync(join(ROOT, 'fixtures/names/values.onnx'))).inputs);
    const data = fromTensors({ [name]: x, labels }, 'values');
    const run = train(model, { report: false, data, folder: join(temporaryFolder(), 'run') });
    await expect(run).rejects.toMatchObject({
      code: 'unknown-class',
      problem: { hint: expect.stringContaining('`head: "new"`') },
    });
  });

  it('asks for names where indices have gaps', async () => {
    const { images, labels } = await digits('train');
    const given = BigInt64Array.from(labels, (digit) => BigInt(digit < 5 ? 3 : 8));
    const data = fromTensors({ images, labels: { dtype: 'int64', dims: [given.length], data: given } }, 'gaps');
    await expect(trained(join(temporaryFolder(), 'run'), { data, head: 'new' })).rejects.toMatchObject({
      code: 'head-classes',
      problem: { found: '3, 8', hint: expect.stringContaining('`classes: "3,8"`') },
    });
    const result = await trained(join(temporaryFolder(), 'run'), {
      data,
      head: 'new',
      classNames: ['3', '8'],
      epochs: 1,
    });
    expect(result.changedHead?.sources).toHaveLength(2);
  });

  it('refuses a start without a new head, and classes that are not there', async () => {
    const folder = join(temporaryFolder(), 'run');
    await expect(trained(folder, { headInit: 'zeros' })).rejects.toMatchObject({ code: 'option-range' });
    await expect(trained(folder, { keepClasses: ['0', '11'] })).rejects.toMatchObject({ code: 'head-classes' });
    await expect(trained(folder, { addClasses: ['3'] })).rejects.toMatchObject({ code: 'head-classes' });
    await expect(trained(folder, { head: 'new', addClasses: ['a'] })).rejects.toMatchObject({
      code: 'option-conflict',
    });
  });
});
