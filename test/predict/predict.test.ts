import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { describe, expect, it } from 'vitest';
import { augment, fromTensors, LossgraftError, open, openData, type Prediction, predict } from '../../src/index.ts';

const FOLDER = join(import.meta.dirname, '../../fixtures/classifiers');
const DIGITS = join(import.meta.dirname, '../../fixtures/digits');

const expected = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as Record<
  string,
  { readonly probabilities: readonly (readonly number[])[] }
>;

const scratch = (): string => mkdtempSync(join(tmpdir(), 'lossgraft-predict-'));

async function all(name: string, data: string, options: Parameters<typeof predict>[2] = {}): Promise<Prediction[]> {
  using model = await open(join(FOLDER, `${name}.onnx`));
  using opened = await openData(resolve(FOLDER, data), { unlabelled: true });
  const found: Prediction[] = [];
  for await (const batch of (await predict(model, opened, options)).batches()) found.push(...batch);
  return found;
}

describe('predict', () => {
  it.each([
    ['forest', 'data.csv', ['ash', 'birch', 'cedar']],
    ['bayes', 'data.npz', ['ash', 'birch', 'cedar']],
    ['svc', 'data.csv', ['ash', 'birch', 'cedar']],
    ['logit', 'binary.npz', ['0', '1']],
  ])('gives ONNX Runtime’s probabilities of %s, as Python has them', async (name, data, names) => {
    const found = await all(name, data, { probabilities: true, topK: 2, batchSize: 13 });
    expect(found).toHaveLength(90);
    for (const [row, probabilities] of (expected[name]?.probabilities ?? []).entries()) {
      const one = found[row];
      expect(one?.row).toBe(row);
      for (const [k, p] of probabilities.entries()) expect(one?.probabilities?.[k]).toBeCloseTo(p, 5);
      const best = probabilities.indexOf(Math.max(...probabilities));
      expect(one?.class).toBe(names[best]);
      const [first, second] = one?.top ?? [];
      expect(first?.index).toBe(best);
      expect(first?.probability).toBeGreaterThanOrEqual(second?.probability ?? 1);
    }
  });

  it('writes the same to CSV, JSON lines and Parquet', async () => {
    using model = await open(join(FOLDER, 'forest.onnx'));
    using data = await openData(join(FOLDER, 'data.csv'), { unlabelled: true });
    const folder = scratch();
    const paths = ['p.csv', 'p.jsonl', 'p.parquet'].map((name) => join(folder, name)) as [string, string, string];
    const predictions = await predict(model, data, { probabilities: true, topK: 2, batchSize: 32 });
    for (const path of paths) expect(await predictions.write(path)).toMatchObject({ samples: 90 });
    expect(readdirSync(folder)).toHaveLength(3);
    const [csv, jsonl, parquet] = paths;
    const [head = '', ...lines] = readFileSync(csv, 'utf8').trimEnd().split('\n');
    const columns = 'row,class,index,probability,class_2,index_2,probability_2,p_ash,p_birch,p_cedar';
    expect(head).toBe(columns);
    const records = readFileSync(jsonl, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    const rows = await parquetReadObjects({ file: await asyncBufferFromFile(parquet) });
    expect([lines.length, records.length, rows.length]).toEqual([90, 90, 90]);
    for (const [row, line] of lines.entries()) {
      const cells = line.split(',');
      const [record, own = {}] = [records[row], rows[row]];
      expect([record.row, record.class, record.probability].map(String)).toEqual([cells[0], cells[1], cells[3]]);
      expect(record.top[1].class).toBe(cells[4]);
      expect(String(record.probabilities.cedar)).toBe(cells[9]);
      expect(own.row).toBe(BigInt(row));
      expect(Math.fround(Number(cells[9]))).toBe(own.p_cedar);
      expect(own.class).toBe(cells[1]);
    }
    const { schema } = await parquetMetadataAsync(await asyncBufferFromFile(parquet));
    expect(schema.map(({ type }) => type).slice(1, 5)).toEqual(['INT64', 'BYTE_ARRAY', 'INT64', 'FLOAT']);
  });

  it('takes images in a folder without classes, and names the files', async () => {
    const folder = scratch();
    const bytes = Buffer.from(PNG, 'base64');
    for (const name of ['b.png', 'a.png']) writeFileSync(join(folder, name), bytes);
    mkdirSync(join(folder, 'more'));
    writeFileSync(join(folder, 'more/c.png'), bytes);
    using model = await open(join(DIGITS, 'model.onnx'));
    using data = await openData(folder, { unlabelled: true, resize: '8x8', channels: 1 });
    const sources: (string | undefined)[] = [];
    for await (const batch of (await predict(model, data)).batches())
      sources.push(...batch.map(({ source }) => source));
    expect(sources).toEqual(['a.png', 'b.png', 'more/c.png']);
  });

  it('reads tables without a column of labels, and those with one', async () => {
    const folder = scratch();
    const [head = '', ...lines] = readFileSync(join(FOLDER, 'data.csv'), 'utf8').trimEnd().split('\n');
    const bare = [head, ...lines].map((line) => line.split(',').slice(0, 4).join(','));
    const empty = [head, ...lines.map((line) => `${line.split(',').slice(0, 4).join(',')},`)];
    writeFileSync(join(folder, 'bare.csv'), `${bare.join('\n')}\n`);
    writeFileSync(join(folder, 'empty.csv'), `${empty.join('\n')}\n`);
    const classes = async (path: string): Promise<string[]> => (await all('forest', path)).map((one) => one.class);
    const whole = await classes('data.csv');
    for (const name of ['bare.csv', 'empty.csv']) expect(await classes(join(folder, name))).toEqual(whole);
  });

  it('needs no labels for what augment wrote', async () => {
    using model = await open(join(DIGITS, 'model.onnx'));
    using augmented = await open((await augment(model, { loss: 'ib', classCounts: Array(10).fill(40) })).bytes());
    using data = await openData(join(DIGITS, 'test.npz'));
    const images = await data.columns.get('images')?.read(0, 20);
    if (!images) throw new Error('fixtures');
    const write = async (which: typeof model): Promise<string> => {
      const pieces: string[] = [];
      const predictions = await predict(which, fromTensors({ images }), { probabilities: true });
      await predictions.writeCsv((piece) => void pieces.push(piece));
      return pieces.join('');
    };
    expect(await write(augmented)).toBe(await write(model));
  });

  it('writes nothing where a row cannot be read, and leaves what was there', async () => {
    const folder = scratch();
    const path = join(folder, 'p.parquet');
    writeFileSync(path, 'old');
    using model = await open(join(FOLDER, 'forest.onnx'));
    const x = Float32Array.from({ length: 40 }, (_, i) => (i === 33 ? Number.NaN : i));
    const data = fromTensors({ X: { dtype: 'float32', dims: [10, 4], data: x } });
    const predictions = await predict(model, data, { batchSize: 2 });
    await expect(predictions.write(path)).rejects.toMatchObject({ code: 'output-exists' });
    await expect(predictions.write(path, { force: true })).rejects.toMatchObject({ code: 'nan-in-data' });
    await expect(predictions.write(join(folder, 'p.txt'))).rejects.toBeInstanceOf(LossgraftError);
    expect(readdirSync(folder)).toEqual(['p.parquet']);
    expect(readFileSync(path, 'utf8')).toBe('old');
  });

  it('refuses more classes than there are', async () => {
    await expect(all('forest', 'data.csv', { topK: 4 })).rejects.toMatchObject({ code: 'option-range' });
  });
});

const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
