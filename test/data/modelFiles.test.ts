import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { augment, open, openData, run } from '../../src/index.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const FOLDERS = join(ROOT, 'fixtures/folders');
const at = (name: string): string => join(FOLDERS, name);

/** By fixtures/folders/generate.py, with transformers and PyTorch. */
const expected = JSON.parse(readFileSync(at('expected.json'), 'utf8'));

function copyOf(name: string): string {
  const folder = join(temporaryFolder(), name);
  cpSync(at(name), folder, { recursive: true });
  return folder;
}

it.each([
  ['vit', 'images'],
  ['bert', 'reviews.csv'],
])(
  '%s: images and texts are prepared as its files say, classes are matched by its config, as transformers has it',
  async (name, samples) => {
    using model = await open(at(name));
    using data = await openData(at(samples), { model: at(name) });
    const result = await run(await augment(model, { loss: 'ce' }), data);
    expect(result.classNames).toEqual(expected[name].classes);
    const losses: number[] = expected[name].losses;
    expect(result.samples).toBe(losses.length);
    const furthest = losses.map((loss, i) => Math.abs(loss - (result.perSample.loss_per_sample?.[i] ?? Number.NaN)));
    expect(Math.max(...furthest)).toBeLessThan(2e-6);
  },
);

async function idsOf(folder: string): Promise<{ width: number | undefined; ids: number[] }> {
  using data = await openData(at('reviews.csv'), { model: folder });
  const column = data.columns.get('input_ids');
  const tensor = await column?.read(0, expected.bert.losses.length);
  return { width: column?.dims[1], ids: Array.from(tensor?.data ?? [], Number) };
}

it('texts are padded to the longest one, up to the length that tokenizer_config.json says, on its side and with its token', async () => {
  expect(await idsOf(at('bert'))).toEqual({ width: expected.bert.width, ids: expected.bert.ids });
  const { config, width, ids } = expected.bert.left;
  const folder = copyOf('bert');
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify(config));
  expect(await idsOf(folder)).toEqual({ width, ids });
  expect(await idsOf(join(folder, 'onnx/model.onnx'))).toEqual({ width, ids });
});

it('the length is that of the positions where the tokenizer states none; RoBERTa has two more than it uses', async () => {
  const folder = copyOf('bert');
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ model_max_length: 1e30, pad_token: '[PAD]' }));
  const config = { model_type: 'bert', max_position_embeddings: 12 };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  expect((await idsOf(folder)).width).toBe(12);
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, model_type: 'roberta', pad_token_id: 1 }));
  expect((await idsOf(folder)).width).toBe(10);
});

it('options go before the files, and a note says so', async () => {
  using data = await openData(at('images'), { model: at('vit'), resize: '8x8' });
  expect(data.unnamed?.dims).toEqual([40, 3, 8, 8]);
  expect(data.notes?.join()).toContain('Options count, and');
  using texts = await openData(at('reviews.csv'), { model: at('bert'), maxLength: 5 });
  expect(texts.columns.get('input_ids')?.dims[1]).toBe(5);
});

it('a folder without a model, or with several, is refused by name', async () => {
  const folder = copyOf('vit');
  cpSync(join(folder, 'model.onnx'), join(folder, 'other.onnx'));
  using model = await open(folder);
  expect(model.name).toBe('model.onnx');
  renameSync(join(folder, 'model.onnx'), join(folder, 'first.onnx'));
  await expect(open(folder)).rejects.toThrow('found first.onnx, other.onnx');
  rmSync(join(folder, 'first.onnx'));
  using only = await open(folder);
  expect(only.name).toBe('other.onnx');
  mkdirSync(join(folder, 'onnx'));
  renameSync(join(folder, 'other.onnx'), join(folder, 'onnx/model_fp16.onnx'));
  using below = await open(folder);
  expect(below.name).toBe('model_fp16.onnx');
  rmSync(join(folder, 'onnx'), { recursive: true });
  await expect(open(folder)).rejects.toThrow('found config.json, preprocessor_config.json');
});

it('a table of one column of texts and its labels needs no option for the former', async () => {
  const table = join(temporaryFolder(), 'reviews.csv');
  const text = readFileSync(at('reviews.csv'), 'utf8').replace('text,label', 'review,label');
  writeFileSync(table, text);
  using data = await openData(table, { model: at('bert') });
  expect(data.notes?.[0]).toContain('96 texts from column review; ');
  using unlabelled = await openData(table, { model: at('bert'), unlabelled: true });
  expect(unlabelled.columns.has('labels')).toBe(false);
  writeFileSync(table, text.replaceAll('\n', ',x\n'));
  await expect(openData(table, { model: at('bert') })).rejects.toThrow('option text-column] expected a column among');
});
