import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  augment,
  type DataOptions,
  type EvaluateOptions,
  evaluate,
  evaluatePart,
  fromTensors,
  LossgraftError,
  open,
  openData,
  type PredictOptions,
  predict,
  predictPart,
  run,
  runPart,
  shard,
} from '../../src/index.ts';
import { parsePart, rowsOfPart } from '../../src/parts/plan.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const at = (path: string): string => join(ROOT, 'fixtures', path);

it('parts are whole batches, and together all rows', () => {
  for (const [total, batchSize, of] of [
    [1000, 32, 7],
    [5, 256, 3],
    [200_000, 256, 16],
    [64, 64, 64],
    [65, 1, 64],
  ] as const) {
    let next = 0;
    for (let part = 1; part <= of; part++) {
      const { first, last } = rowsOfPart({ part, of }, total, batchSize);
      expect([first, first % batchSize === 0 || first === total, last >= first]).toEqual([next, true, true]);
      next = last;
    }
    expect(next).toBe(total);
  }
  expect(['3/16', ' 1/1 '].map(parsePart)).toEqual([
    { part: 3, of: 16 },
    { part: 1, of: 1 },
  ]);
  for (const text of ['0/4', '5/4', '1', '1/0', '-1/2', '1.0/2', '1/2/3', '']) expect(parsePart(text)).toBeUndefined();
});

interface Case {
  readonly model: string;
  readonly data: string;
  readonly options?: DataOptions;
  readonly scoring?: PredictOptions & EvaluateOptions;
  readonly against?: string;
}

const CASES: Readonly<Record<string, Case>> = {
  'a network': { model: 'digits/model.onnx', data: 'digits/test.npz', scoring: { batchSize: 32 } },
  'a network beside another': {
    model: 'digits/model.onnx',
    data: 'digits/test.npz',
    scoring: { batchSize: 32 },
    against: 'digits/model-dynamo.onnx',
  },
  'a forest, from a table': {
    model: 'classifiers/forest.onnx',
    data: 'classifiers/data.csv',
    scoring: { batchSize: 16 },
  },
  'a forest beside one with other class order': {
    model: 'classifiers/forest.onnx',
    data: 'classifiers/data.csv',
    scoring: { batchSize: 16 },
    against: 'classifiers/forest-other.onnx',
  },
  'a support vector machine whose scores are turned': {
    model: 'classifiers/svc-two.onnx',
    data: 'classifiers/binary.npz',
    scoring: { batchSize: 8 },
  },
  'a network that reads texts': {
    model: 'data/categories/network.onnx',
    data: 'data/tables/whole.csv',
    options: { categorical: ['zip'] },
    scoring: { batchSize: 4 },
  },
  'a fixed batch': { model: 'binary/sigmoid-n1-legacy-fixed.onnx', data: 'binary/test.npz' },
  'several labels': {
    model: 'multiLabel/table.onnx',
    data: 'multiLabel/columns.csv',
    options: { labelColumns: ['blue', 'green', 'red'] },
    scoring: { batchSize: 16, task: 'multi-label' },
  },
};

const OF = 5;
const parts = Array.from({ length: OF }, (_, i) => `${i + 1}/${OF}`);
/** Batch systems start parts in any order. */
const shuffled = [parts[3], parts[0], parts[4], parts[2], parts[1]].filter((part) => part !== undefined);

describe('parts merged are one process, bit for bit', () => {
  it.each(Object.entries(CASES))('predictions of %s', async (_name, one) => {
    const folder = temporaryFolder();
    using model = await open(at(one.model));
    using data = await openData(at(one.data), { ...one.options, unlabelled: true });
    for (const part of shuffled) await predictPart(model, data, { ...one.scoring, part, parts: join(folder, 'parts') });
    const how = { ...one.scoring, topK: 2, probabilities: true };
    const whole = await predict(model, data, how);
    const merged = await predict(model, data, { ...how, parts: join(folder, 'parts') });
    for (const format of ['csv', 'jsonl', 'parquet']) {
      const [a, b] = [join(folder, `a.${format}`), join(folder, `b.${format}`)];
      expect(await merged.write(b)).toEqual(await whole.write(a));
      expect(readFileSync(b)).toEqual(readFileSync(a));
    }
  });

  it.each(Object.entries(CASES))('figures of %s', async (_name, one) => {
    const folder = join(temporaryFolder(), 'parts');
    using model = await open(at(one.model));
    using other = await open(at(one.against ?? one.model));
    using data = await openData(at(one.data), one.options);
    const how = { ...one.scoring, ...(one.against === undefined ? {} : { against: other }) };
    for (const part of shuffled) await evaluatePart(model, data, { ...how, part, parts: folder });
    expect(await evaluate(model, data, { ...how, parts: folder })).toEqual(await evaluate(model, data, how));
  });

  it.each([
    ['one label each', 'digits/model.onnx', 'digits/test.npz', {}],
    ['several labels', 'multiLabel/table.onnx', 'multiLabel/columns.csv', { labelColumns: ['blue', 'green', 'red'] }],
  ] as const)('losses of an augmented model, %s', async (_name, path, samples, options: DataOptions) => {
    const folder = join(temporaryFolder(), 'parts');
    using model = await open(at(path));
    const task = path.startsWith('multi') ? ({ task: 'multi-label', loss: 'bce' } as const) : ({ loss: 'ib' } as const);
    const augmented = await augment(model, task);
    using data = await openData(at(samples), options);
    const how = { batchSize: 16 };
    for (const part of shuffled) await runPart(augmented, data, { ...how, part, parts: folder });
    expect(await run(augmented, data, { ...how, parts: folder })).toEqual(await run(augmented, data, how));
  });

  it('more parts than batches, and the options that come after the scores', async () => {
    const folder = join(temporaryFolder(), 'parts');
    using model = await open(at('digits/model.onnx'));
    using data = await openData(at('digits/test.npz'));
    const reports = [];
    const one = { batchSize: 5000 };
    for (const part of ['1/3', '2/3', '3/3'])
      reports.push(await evaluatePart(model, data, { ...one, part, parts: folder }));
    expect(reports.map(({ first, last }) => last - first).filter((rows) => rows === 0)).toHaveLength(2);
    for (const seed of [0, 7])
      expect(await evaluate(model, data, { ...one, parts: folder, seed })).toEqual(
        await evaluate(model, data, { ...one, seed }),
      );
  });

  it('shards of the data give the same; parts know them by their index, wherever they are', async () => {
    const folder = temporaryFolder();
    const [here, there] = [join(folder, 'shards'), join(folder, 'mounted')];
    using model = await open(at('digits/model.onnx'));
    using data = await openData(at('digits/test.npz'));
    await shard(data, here, { rowsPerShard: 50 });
    const how = { batchSize: 32, parts: join(folder, 'parts') };
    using shards = await openData(here, { unlabelled: true });
    for (const part of parts) await predictPart(model, shards, { ...how, part });
    renameSync(here, there);
    using moved = await openData(there, { unlabelled: true });
    await (await predict(model, moved, how)).write(join(folder, 'a.csv'));
    await (await predict(model, data, { batchSize: 32 })).write(join(folder, 'b.csv'));
    expect(readFileSync(join(folder, 'a.csv'))).toEqual(readFileSync(join(folder, 'b.csv')));
  });
});

describe('parts that do not belong together are found, in a sentence', () => {
  const how = { batchSize: 64 };

  async function madeParts(folder = join(temporaryFolder(), 'parts')): Promise<string> {
    using model = await open(at('digits/model.onnx'));
    using data = await openData(at('digits/test.npz'));
    for (const part of ['1/4', '2/4', '3/4', '4/4']) await evaluatePart(model, data, { ...how, part, parts: folder });
    return folder;
  }

  async function refusal(
    folder: string,
    {
      model: path = 'digits/model.onnx',
      data: samples = 'digits/test.npz',
      ...options
    }: Partial<Case> & EvaluateOptions = {},
  ): Promise<string> {
    using model = await open(at(path));
    using data = await openData(at(samples));
    const error = await evaluate(model, data, { ...how, ...options, parts: folder }).catch((thrown: unknown) => thrown);
    return error instanceof LossgraftError ? error.message.replaceAll(folder, 'PARTS') : 'nothing was refused';
  }

  it('one is missing', async () => {
    const folder = await madeParts();
    rmSync(join(folder, '3-of-4'), { recursive: true });
    expect(await refusal(folder)).toBe(
      '[PARTS] expected 4 parts, found 3: without 3/4. Run it again, with `part: "3/4"`.',
    );
    rmSync(join(folder, '1-of-4'), { recursive: true });
    expect(await refusal(folder)).toContain('found 2: without 1/4, 3/4. Run them again, with `part: "1/4"` and so on.');
    expect(await refusal(join(folder, 'none'))).toContain('expected the parts of a result, found no such folder');
  });

  it('one is there twice', async () => {
    const folder = await madeParts();
    cpSync(join(folder, '2-of-4'), join(folder, '2-of-4-again'), { recursive: true });
    expect(await refusal(folder)).toBe(
      '[PARTS] expected each part once, found part 2/4 in PARTS/2-of-4 and in PARTS/2-of-4-again. Remove one of the two folders.',
    );
  });

  it('another model, other data, other options, another division', async () => {
    const folder = await madeParts();
    const first = /^\[PARTS\/1-of-4, part 1\/4\] expected the /.source;
    expect(await refusal(folder, { model: 'digits/model-dynamo.onnx' })).toMatch(
      new RegExp(
        `${first}model of this command, SHA-256 [0-9a-f]{12}…, found SHA-256 [0-9a-f]{12}…\\. Run that part again`,
      ),
    );
    expect(await refusal(folder, { data: 'digits/train.npz' })).toMatch(
      new RegExp(`${first}data of this command, .*416|sha256`),
    );
    expect(await refusal(folder, { batchSize: 32 })).toMatch(
      new RegExp(`${first}options of this command, \\{batchSize: 32\\}, found \\{batchSize: 64\\}`),
    );
    using model = await open(at('digits/model.onnx'));
    using data = await openData(at('digits/test.npz'));
    await evaluatePart(model, data, { ...how, part: '1/3', parts: folder });
    expect(await refusal(folder)).toContain('expected a part of 3, as in PARTS/1-of-3, found one of 4');
    await expect(predict(model, data, { ...how, parts: folder })).rejects.toMatchObject({ code: 'parts-differ' });
  });

  it('a part of another model among the others, and bytes that changed', async () => {
    const folder = await madeParts();
    const path = join(folder, '3-of-4/part.json');
    const manifest = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...manifest, inputs: { ...manifest.inputs, model: '0'.repeat(64) } }));
    expect(await refusal(folder)).toContain('[PARTS/3-of-4, part 3/4] expected the model of this command');
    writeFileSync(path, JSON.stringify(manifest));
    const scores = join(folder, '3-of-4', manifest.passes.own.tensors[0].shards[0].file);
    const bytes = readFileSync(scores);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    writeFileSync(scores, bytes);
    expect(await refusal(folder)).toMatch(/own-0\.npy\] expected SHA-256 .*or run the part again\./);
  });

  it('a part that is there stays, unless it is forced or was made of something else', async () => {
    const folder = await madeParts();
    using model = await open(at('digits/model.onnx'));
    using data = await openData(at('digits/test.npz'));
    const path = join(folder, '2-of-4/part.json');
    const again = { ...how, part: '2/4', parts: folder };
    writeFileSync(path, `${readFileSync(path, 'utf8')} `);
    expect((await evaluatePart(model, data, again)).wasThere).toBe(true);
    expect(readFileSync(path, 'utf8')).toMatch(/ $/);
    await expect(evaluatePart(model, data, { ...again, batchSize: 32 })).rejects.toThrow('or add `force`');
    expect((await evaluatePart(model, data, { ...again, force: true })).wasThere).toBe(false);
    expect(readFileSync(path, 'utf8')).toMatch(/\n$/);
  });

  it('a part that fails leaves nothing', async () => {
    const folder = join(temporaryFolder(), 'parts');
    const x = { dtype: 'float32', dims: [4, 64], data: new Float32Array(256).fill(Number.NaN) } as const;
    using model = await open(at('digits/model.onnx'));
    using data = await openData(at('digits/test.npz'));
    const [name = ''] = data.columns.keys();
    const bad = fromTensors({ [name]: { ...x, dims: [4, ...(data.columns.get(name)?.dims.slice(1) ?? [])] } });
    await expect(predictPart(model, bad, { part: '2/2', parts: folder })).rejects.toMatchObject({
      code: 'nan-in-data',
    });
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
    await expect(predictPart(model, data, { part: '3/2', parts: folder })).rejects.toThrow('1 to n');
  });
});
