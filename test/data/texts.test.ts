import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { openNpz } from '../../src/data/numpy/npz.ts';
import { openData } from '../../src/data/open.ts';
import type { DataOptions } from '../../src/data/options.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const DATA = join(ROOT, 'fixtures/data');
const NAMES = ['input_ids', 'attention_mask', 'token_type_ids'] as const;
const expected = new Map<string, Tensor>();
const tokenizer = (name: string): string => join(DATA, 'tokenizers', `${name}.json`);

beforeAll(async () => {
  const npz = await openNpz(join(DATA, 'tokens.npz'));
  for (const [name, column] of npz.columns) expected.set(name, await column.read(0, column.dims[0] ?? 0));
  npz.close();
});

async function column(data: Dataset, name: string): Promise<Tensor | undefined> {
  const found = data.columns.get(name);
  return found?.read(0, found.dims[0] ?? 0);
}

describe('the same tokens as Hugging Face', () => {
  it.each(['wordpiece', 'bytelevel', 'unigram'])('%s, from a CSV', async (name) => {
    const data = await openData(join(DATA, 'texts.csv'), { tokenizer: tokenizer(name), maxLength: 16 });
    for (const key of NAMES) expect(await column(data, key), key).toEqual(expected.get(`${name}.${key}`));
    expect((await column(data, 'labels'))?.data).toEqual(
      BigInt64Array.from([1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1, 0], BigInt),
    );
    expect(data.classNames).toEqual(['bad', 'good']);
    data.close();
  });

  it('from files in class folders', async () => {
    const data = await openData(join(DATA, 'texts'), { tokenizer: tokenizer('wordpiece'), maxLength: 16 });
    const rows = [1, 4, 5, 7, 9, 11, 0, 2, 3, 6, 8, 10];
    const all = expected.get('wordpiece.input_ids')?.data;
    const wanted = rows.flatMap((row) => Array.from(all ?? [], Number).slice(row * 16, row * 16 + 16));
    expect(Array.from((await column(data, 'input_ids'))?.data ?? [], Number)).toEqual(wanted);
    expect(data.describeRow?.(1)).toBe('bad/04.txt');
    expect((await data.columns.get('input_ids')?.read(3, 2))?.data).toEqual(
      BigInt64Array.from(wanted.slice(48, 80), BigInt),
    );
    data.close();
  });
});

it('gives the tokens to inputs of other names', async () => {
  const options = { tokenizer: tokenizer('wordpiece'), maxLength: 16 };
  const csv = join(DATA, 'texts.csv');
  const data = await openData(csv, { ...options, tokenInputs: { input_ids: 'ids', attention_mask: 'mask' } });
  expect([...data.columns.keys()]).toEqual(['ids', 'mask', 'token_type_ids', 'labels']);
  expect(await column(data, 'ids')).toEqual(expected.get('wordpiece.input_ids'));
  expect(await column(data, 'mask')).toEqual(expected.get('wordpiece.attention_mask'));
  data.close();
  for (const tokenInputs of [{ ids: 'x' }, { input_ids: 'attention_mask' }]) {
    await expect(openData(csv, { ...options, tokenInputs })).rejects.toThrow(
      /option tokenInputs\] expected other names/,
    );
  }
});

it('says how texts are cut and padded', async () => {
  const options = { tokenizer: tokenizer('bytelevel'), maxLength: 8 };
  const data = await openData(join(DATA, 'texts.csv'), options);
  expect(data.notes?.[0]).toMatch(
    /12 texts from column text; cut on the right and padded on the left with 1 to 8 tokens$/,
  );
  data.close();
  const own = await openData(join(DATA, 'texts.csv'), { tokenizer: tokenizer('unigram') });
  expect(own.columns.get('input_ids')?.dims).toEqual([12, 16]);
  own.close();
});

describe('what is not right', () => {
  const wordpiece: Readonly<Record<string, unknown>> = JSON.parse(readFileSync(tokenizer('wordpiece'), 'utf8'));

  function changed(config: unknown): string {
    const path = join(temporaryFolder(), 'tokenizer.json');
    writeFileSync(path, JSON.stringify(config));
    return path;
  }
  function csv(text: string): string {
    const path = join(temporaryFolder(), 'x.csv');
    writeFileSync(path, text);
    return path;
  }
  const base: DataOptions = { tokenizer: tokenizer('wordpiece'), maxLength: 8 };
  const texts = join(DATA, 'texts.csv');

  it.each([
    ['no length', () => openData(texts, { tokenizer: tokenizer('wordpiece') }), 'max-length', /`maxLength`/],
    [
      'a length below the special tokens',
      () => openData(texts, { ...base, maxLength: 1 }),
      'max-length',
      /at least 2 tokens/,
    ],
    ['no tokenizer', () => openData(texts, { textColumn: 'text' }), 'bad-tokenizer', /`tokenizer`/],
    ['a file that is none', () => openData(texts, { ...base, tokenizer: texts }), 'bad-tokenizer', /texts\.csv/],
    [
      'an unknown model',
      () => openData(texts, { ...base, tokenizer: changed({ ...wordpiece, model: { type: 'Other' } }) }),
      'bad-tokenizer',
      /Other/,
    ],
    [
      'no padding',
      () =>
        openData(texts, {
          ...base,
          tokenizer: changed({
            ...JSON.parse(readFileSync(tokenizer('bytelevel'), 'utf8').replaceAll('<pad>', '<x>')),
            padding: null,
          }),
        }),
      'bad-tokenizer',
      /padding/,
    ],
    ['another column', () => openData(texts, { ...base, textColumn: 'sentence' }), 'table-columns', /id, text, label/],
    [
      'a missing text',
      () => openData(csv('text,label\na,0\n,1\n'), base),
      'missing-value',
      /row 1 \(line 3\), column text/,
    ],
    [
      'a missing label',
      () => openData(csv('text,label\na,x\nb,\n'), base),
      'missing-value',
      /row 1 \(line 3\), column label/,
    ],
    [
      'a text of numbers',
      () => openData(join(DATA, 'tables/none.parquet'), { ...base, textColumn: 'count', labelColumn: 'index' }),
      'missing-value',
      /bigint/,
    ],
    [
      'a text without an end',
      () => openData(csv(`text,label\n${'a '.repeat(2 ** 20)},0\n`), base),
      'text-too-long',
      /row 0/,
    ],
  ])('%s', async (_name, open, code, shown) => {
    await expect(open()).rejects.toMatchObject({ code, message: expect.stringMatching(shown) });
  });

  it('bytes that are not UTF-8, in a folder', async () => {
    const folder = join(temporaryFolder(), 'texts');
    cpSync(join(DATA, 'texts'), folder, { recursive: true });
    writeFileSync(join(folder, 'bad/00.txt'), Buffer.from([0x61, 0xff]));
    await expect(openData(folder, base)).rejects.toMatchObject({
      code: 'bad-text',
      message: expect.stringMatching(/bad\/00\.txt/),
    });
  });
});
