import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { openData } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT } from './cli.ts';

/** See fixtures/names/generate.py: a ViT that tells ten digits apart, and digits that it has not seen. */
const FIXTURE = join(ROOT, 'fixtures/names');

export const WORDS: readonly string[] = [
  ...['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'],
];

export interface Digits {
  /** [N, 8, 8] */
  readonly pixels: Uint8Array;
  readonly digits: readonly number[];
}

export async function readDigits(): Promise<Digits> {
  const data = await openData(join(FIXTURE, 'digits.npz'));
  const all = async (name: string): Promise<Tensor> => {
    const column = data.columns.get(name);
    if (column === undefined) throw new Error(`no ${name}`);
    return column.read(0, column.dims[0] ?? 0);
  };
  const [images, digits] = [await all('images'), await all('digits')];
  data.close();
  return { pixels: images.data as Uint8Array, digits: toNumbers(digits) as number[] };
}

/** A folder of PNG for each digit, called as `names` says; a digit without a name is left out. */
export async function writeDigits(folder: string, names: readonly (string | undefined)[]): Promise<string> {
  const { pixels, digits } = await readDigits();
  for (const [i, digit] of digits.entries()) {
    const name = names[digit];
    if (name === undefined) continue;
    mkdirSync(join(folder, name), { recursive: true });
    const image = sharp(pixels.subarray(64 * i, 64 * (i + 1)), { raw: { width: 8, height: 8, channels: 1 } });
    await image.png().toFile(join(folder, name, `${i}.png`));
  }
  return folder;
}

/** The ViT in a folder as Hugging Face has them, its classes called as `names` (by digit) says. @returns the path of the model. */
export function writeVit(folder: string, names: readonly string[]): string {
  const config = JSON.parse(readFileSync(join(FIXTURE, 'hf/config.json'), 'utf8'));
  mkdirSync(join(folder, 'onnx'), { recursive: true });
  const id2label = Object.fromEntries(digitsOfVit().map((digit, k) => [k, names[digit]]));
  const label2id = Object.fromEntries(digitsOfVit().map((digit, k) => [names[digit], k]));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, id2label, label2id }));
  copyFileSync(join(FIXTURE, 'hf/onnx/model.onnx'), join(folder, 'onnx/model.onnx'));
  return join(folder, 'onnx/model.onnx');
}

/** The digit that each score of the ViT is for. */
export function digitsOfVit(): number[] {
  const { id2label } = JSON.parse(readFileSync(join(FIXTURE, 'hf/config.json'), 'utf8'));
  return Object.values<string>(id2label).map((word) => WORDS.indexOf(word));
}

/** How often the highest score of a file is that of the right digit, told by what each score is for. */
export async function accuracyOf(path: string): Promise<number> {
  const { pixels, digits } = await readDigits();
  const session = await openSession(path, { provider: 'cpu' });
  const data = Float32Array.from(pixels, (byte) => byte / 255);
  const { logits } = await session.run({ pixel_values: { dtype: 'float32', dims: [digits.length, 1, 8, 8], data } });
  await session.close();
  const scores = logits ? toNumbers(logits) : [];
  const meant = digitsOfVit();
  const right = digits.filter((digit, i) => {
    const row = scores.slice(10 * i, 10 * i + 10);
    return meant[row.indexOf(Math.max(...row))] === digit;
  });
  return right.length / digits.length;
}
