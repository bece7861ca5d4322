import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  adamw,
  fromTensors,
  ib,
  open,
  openData,
  type RunFile,
  readConfig,
  type TrainOptions,
  train,
} from '../../src/index.ts';
import { lossesByName } from '../support/catalogue.ts';
import { temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const MODEL = join(DIGITS, 'model.onnx');
const DATA = join(DIGITS, 'train.npz');

async function recordOf(bytes: boolean, options: Partial<TrainOptions>): Promise<{ path: string; record: RunFile }> {
  using model = await (bytes ? open(readFileSync(MODEL), { name: 'model.onnx' }) : open(MODEL));
  using data = await openData(DATA);
  const folder = temporaryFolder();
  await train(model, { data, epochs: 1, report: false, ...options, folder } as TrainOptions);
  const path = join(folder, 'run.json');
  return { path, record: JSON.parse(readFileSync(path, 'utf8')) };
}

describe('the record of a run that a program began', () => {
  it('has losses and optimizers of the catalogue by name, with their options, and can be repeated', async () => {
    const options = {
      loss: ib({ alpha: 500 }),
      optimizer: adamw({ weightDecay: 0.05 }),
      classWeights: [1, 1, 1, 1, 1, 1, 1, 1, 1, 2],
    };
    const { path, record } = await recordOf(false, options);
    expect(record.options).toMatchObject({
      model: { value: MODEL, from: 'program' },
      data: { value: DATA, from: 'program' },
      loss: { value: 'ib', from: 'program' },
      alpha: { value: 500, from: 'program' },
      optimizer: { value: 'adamw', from: 'program' },
      weightDecay: { value: 0.05, from: 'program' },
      epochs: { value: 1, from: 'program' },
      report: { value: false, from: 'program' },
      learningRate: { settled: true },
    });
    expect(record.notRepeatable).toEqual([]);
    expect(readConfig(path).options).toMatchObject({
      model: MODEL,
      data: DATA,
      loss: 'ib',
      alpha: 500,
      weightDecay: 0.05,
    });
    expect(readConfig(path).options).not.toHaveProperty('learningRate');
  });

  it('says what no file can hold', async () => {
    const ce = lossesByName.ce;
    using whole = await openData(DATA);
    const images = await whole.columns.get('images')?.read(0, 416);
    const labels = await whole.columns.get('labels')?.read(0, 416);
    if (!ce || !images || !labels) throw new Error('no data');
    const data = fromTensors({ images, labels });
    const { path, record } = await recordOf(true, {
      loss: { ...ce, name: 'mine', build: (...all) => ce.build(...all) },
      data,
    });
    expect(record.notRepeatable).toEqual(['model', 'data', 'loss']);
    expect(record.data).toEqual({ data: null });
    expect(() => readConfig(path)).toThrow(
      /expected a run of which a file can hold all options, found model, data, loss/,
    );
  });
});
