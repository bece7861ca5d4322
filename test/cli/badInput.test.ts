import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { augment, encodeNpy, fromTensors, open, openData, type Tensor, writeNpz } from '../../src/index.ts';
import { type CliResult, lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const MODEL = join(ROOT, 'fixtures/digits/model.onnx');
const TRAIN = join(ROOT, 'fixtures/digits/train.npz');
const COUNTS = '130,90,63,44,31,21,15,10,7,5';

/** Exit 2, one message on stderr, nothing on stdout, no stack, and only the files that were there before. */
function expectRefusal(result: CliResult, message: RegExp, folder: string, files: readonly string[] = []): void {
  expect(result.stderr).toMatch(message);
  expect(result.stderr).not.toMatch(/^\s+at |defect/m);
  expect(result.stdout).toBe('');
  expect(result.code).toBe(2);
  expect(readdirSync(folder).sort()).toEqual([...files].sort());
}

/** Ten numbers for each of 20 samples. */
function labelRows(value: (n: number, k: number) => number, dtype: 'int64' | 'float32' = 'int64'): Tensor {
  const numbers = Array.from({ length: 200 }, (_, i) => value(Math.floor(i / 10), i % 10));
  const data = dtype === 'int64' ? BigInt64Array.from(numbers, BigInt) : Float32Array.from(numbers);
  return { dtype, dims: [20, 10], data };
}

describe('augment refuses', () => {
  const ib = ['--loss', 'ib'];
  it.each<[string, string[], RegExp]>([
    [
      'counts that don’t match the classes',
      [...ib, '--class-counts', '5,6,7'],
      /expected 10, one for each class.*found 3/,
    ],
    ['a zero count', [...ib, '--class-counts', '130,90,0,44,31,21,15,10,7,5'], /class 2\] expected.*above 0.*found 0/],
    ['a negative count', [...ib, '--class-counts', '130,-90,63,44,31,21,15,10,7,5'], /class 1\].*found -90/],
    ['a count that is no number', [...ib, '--class-counts', '130,,63'], /class 1\].*found NaN/],
    [
      'counts by name for a model without names',
      [...ib, '--class-counts', 'ant=5,bee=6'],
      /option class-counts\] expected counts in the order.*since nothing tells.*found counts of ant, bee/,
    ],
    [
      'a file of counts that is not there',
      [...ib, '--class-counts', 'none.json'],
      /none\.json\] expected a readable text file/,
    ],
    ['alpha 0', [...ib, '--alpha', '0'], /option alpha\] expected .*found 0/],
    ['a negative alpha', [...ib, '--alpha', '-1'], /option alpha\] expected .*found -1/],
    [
      'alpha that is no number',
      [...ib, '--alpha', 'much'],
      /--alpha expects a number but got "much"\nlossgraft augment --help/,
    ],
    ['a negative epsilon', [...ib, '--epsilon', '-0.1'], /option epsilon\] expected .*found -0\.1/],
    ['a negative gamma', ['--loss', 'ib-focal', '--gamma=-2'], /option gamma\] expected .*found -2/],
    ['an option of another loss', [...ib, '--gamma', '2'], /loss ib, option gamma\]/],
    ['beta without effective weights', [...ib, '--class-counts', COUNTS, '--beta', '0.9'], /option beta\]/],
    ['a loss that needs counts', ['--loss', 'ldam'], /the loss ldam is built from them, found no --class-counts/],
    ['weights that need counts', [...ib, '--class-weights', 'inverse'], /no --class-counts/],
    ['unknown class weights', [...ib, '--class-weights', 'invers', '--class-counts', COUNTS], /Did you mean inverse/],
    ['an unknown loss', ['--loss', 'ibb'], /Choices: "ce", "focal", "ib", "ib-focal"/],
    ['unknown logits', [...ib, '--logits', 'logit'], /found "logit"\. Did you mean "logits"/],
    ['unknown features', [...ib, '--features', '/relu_2/Relu_output'], /Did you mean "\/relu_2\/Relu_output_0"/],
    ['features for a loss without', ['--loss', 'ce', '--features', '/relu_2/Relu_output_0'], /uses no features/],
    ['an unknown name to rename', [...ib, '--rename', 'label=y'], /option rename\]/],
    ['a rename without a name', [...ib, '--rename', 'labels'], /--rename expects NAME=NEW/],
    ['an unknown option', [...ib, '--aplha', '3'], /Unknown option: --aplha \(did you mean --alpha\?\)/],
    ['an option that is given twice', [...ib, '--alpha', '3', '--alpha', '4'], /--alpha occurs more than once/],
    ['no loss', [], /Missing required argument: loss/],
  ])('%s', async (_what, args, message) => {
    const folder = temporaryFolder();
    expectRefusal(await lossgraft(['augment', MODEL, '-o', join(folder, 'out.onnx'), ...args]), message, folder);
  });

  it('an output that is the input, also by another path and with --force', async () => {
    const folder = temporaryFolder();
    const model = join(folder, 'net.onnx');
    copyFileSync(MODEL, model);
    const other = `${folder}/../${folder.split('/').at(-1)}/net.onnx`;
    const result = await lossgraft(['augment', model, '-o', other, '--loss', 'ce', '--force']);
    expectRefusal(result, /expected an output apart from the inputs/, folder, ['net.onnx']);
    expect(readFileSync(model)).toEqual(readFileSync(MODEL));
  });

  it('an output that exists, unless it is forced', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out.onnx');
    writeFileSync(out, 'mine');
    const args = ['augment', MODEL, '-o', out, '--loss', 'ce'];
    expectRefusal(await lossgraft(args), /add --force to replace it/, folder, ['out.onnx']);
    expect(readFileSync(out, 'utf8')).toBe('mine');
    expect((await lossgraft([...args, '--force'])).code).toBe(0);
    expect(readFileSync(out).length).toBeGreaterThan(50_000);
  });

  it('what is no ONNX file', async () => {
    const folder = temporaryFolder();
    const out = join(folder, 'out.onnx');
    for (const path of [TRAIN, join(ROOT, 'package.json'), join(ROOT, 'fixtures'), join(folder, 'none.onnx')]) {
      expectRefusal(await lossgraft(['augment', path, '-o', out, '--loss', 'ce']), /\] expected /, folder);
    }
  });
});

describe('run refuses', () => {
  const samples = async (): Promise<{ images: Float32Array; labels: BigInt64Array }> => {
    const data = await openData(TRAIN);
    const images = (await data.columns.get('images')?.read(0, 20))?.data;
    const labels = (await data.columns.get('labels')?.read(0, 20))?.data;
    data.close();
    if (!(images instanceof Float32Array && labels instanceof BigInt64Array)) throw new Error('fixtures');
    return { images, labels };
  };
  const tensors = ({ images, labels }: Awaited<ReturnType<typeof samples>>): Record<string, Tensor> => ({
    images: { dtype: 'float32', dims: [20, 1, 8, 8], data: images },
    labels: { dtype: 'int64', dims: [20], data: labels },
  });

  let augmented: Uint8Array;
  beforeAll(async () => {
    const model = await open(MODEL);
    augmented = (await augment(model, { loss: 'ib' })).bytes();
    model.close();
  });

  /** A folder with net.onnx (augmented) and data.npz. */
  async function prepared(change: (data: Record<string, Tensor>) => Record<string, Tensor>): Promise<string> {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'net.onnx'), augmented);
    await writeNpz(join(folder, 'data.npz'), change(tensors(await samples())));
    return folder;
  }
  const FILES = ['net.onnx', 'data.npz'];

  it.each<[string, (data: Record<string, Tensor>) => Record<string, Tensor>, RegExp]>([
    [
      'a label above the classes',
      (data) => ({
        ...data,
        labels: {
          dtype: 'int64',
          dims: [20],
          data: BigInt64Array.from({ length: 20 }, (_, i) => (i === 13 ? 10n : 1n)),
        },
      }),
      /labels, row 13\] expected a class index among 0…9, found 10/,
    ],
    [
      'a negative label',
      (data) => ({
        ...data,
        labels: { dtype: 'int32', dims: [20], data: Int32Array.from({ length: 20 }, (_, i) => (i === 7 ? -1 : 1)) },
      }),
      /labels, row 7\].*found -1/,
    ],
    [
      'labels of floats that are not whole',
      (data) => ({ ...data, labels: { dtype: 'float32', dims: [20], data: new Float32Array(20).fill(0.5, 3) } }),
      /labels, row 3\] expected labels that are whole numbers, found 0\.5/,
    ],
    [
      'one-hot labels of other classes',
      (data) => ({
        ...data,
        labels: {
          dtype: 'int64',
          dims: [20, 11],
          data: BigInt64Array.from({ length: 220 }, (_, i) => (i % 11 === 0 ? 1n : 0n)),
        },
      }),
      /expected one-hot labels of the model’s 10 classes, \[N, 10\], found int64\[20, 11\]\. Give one column per class/,
    ],
    [
      'multi-hot labels',
      (data) => ({ ...data, labels: labelRows((n, k) => Number(k === n % 10 || (n === 3 && k === 7))) }),
      /found multi-hot labels, int64\[20, 10\]: 2 classes in row 3\. Several labels per sample are for multi-label models.*--task multi-label/,
    ],
    [
      'labels of which a row has no class',
      (data) => ({ ...data, labels: labelRows((n, k) => Number(n !== 5 && k === n % 10)) }),
      /found multi-hot labels, int64\[20, 10\]: no class in row 5\./,
    ],
    [
      'soft labels',
      (data) => ({ ...data, labels: labelRows((n, k) => (k === n % 10 ? 0.55 : 0.05), 'float32') }),
      /found soft labels, float32\[20, 10\]\. Rows that sum to 1 are soft labels, which train takes/,
    ],
    [
      'rows of numbers',
      (data) => ({ ...data, labels: labelRows((n, k) => n + k) }),
      /found int64\[20, 10\]\. Pass one class index per sample/,
    ],
    [
      'NaN',
      (data) => ({
        ...data,
        images: {
          dtype: 'float32',
          dims: [20, 1, 8, 8],
          data: new Float32Array(1280).map((_, i) => (i === 64 * 17 + 5 ? Number.NaN : 0.5)),
        },
      }),
      /input images, row 17\] expected numbers, found NaN at element 5 of the row/,
    ],
    [
      'another number of labels',
      (data) => ({ ...data, labels: { dtype: 'int64', dims: [19], data: new BigInt64Array(19) } }),
      /found images: 20, labels: 19/,
    ],
    [
      'no samples',
      () => ({
        images: { dtype: 'float32', dims: [0, 1, 8, 8], data: new Float32Array() },
        labels: { dtype: 'int64', dims: [0], data: new BigInt64Array() },
      }),
      /at least one/,
    ],
    [
      'data without labels',
      ({ images }) => (images ? { images } : {}),
      /expected arrays images .*labels .*found images\. Missing: labels/,
    ],
    [
      'a key that the model does not know',
      ({ images, labels }) => (images && labels ? { x: images, labels } : {}),
      /expected arrays images \(float32\[N, 1, 8, 8\]\).*found x, labels\. Missing: images/,
    ],
    [
      'bytes for floats',
      (data) => ({ ...data, images: { dtype: 'uint8', dims: [20, 1, 8, 8], data: new Uint8Array(1280) } }),
      /expected float32\[N, 1, 8, 8\], found uint8\[20, 1, 8, 8\]\. Scale/,
    ],
    [
      'images of another size',
      (data) => ({ ...data, images: { dtype: 'float32', dims: [20, 1, 9, 9], data: new Float32Array(1620) } }),
      /expected float32\[N, 1, 8, 8\], found float32\[20, 1, 9, 9\]/,
    ],
  ])('%s', async (_what, change, message) => {
    const folder = await prepared(change);
    const args = [
      'run',
      join(folder, 'net.onnx'),
      '--data',
      join(folder, 'data.npz'),
      '--csv',
      join(folder, 'out.csv'),
    ];
    expectRefusal(await lossgraft(args), message, folder, FILES);
  });

  it('outputs that are inputs or exist, wrong batch sizes, files that are no data', async () => {
    const folder = await prepared((data) => data);
    const [model, data] = [join(folder, 'net.onnx'), join(folder, 'data.npz')];
    const attempt = async (args: string[], message: RegExp): Promise<void> =>
      expectRefusal(await lossgraft(['run', model, ...args]), message, folder, FILES);
    await attempt(['--data', data, '--npz', data, '--force'], /apart from the inputs/);
    await attempt(['--data', data, '--csv', model], /apart from the inputs/);
    await attempt(['--data', data, '--csv', join(folder, 'no/out.csv')], /expected a folder to write into/);
    await attempt(
      ['--data', data, '--batch-size', '0'],
      /option batch-size\] expected a whole number above 0, found 0/,
    );
    await attempt(['--data', data, '--batch-size=all'], /--batch-size expects a number but got "all"/);
    await attempt(['--data', model], /file ending in \.npz, \.npy/);
    await attempt(['--data', join(folder, 'none.npz')], /none\.npz\]/);
    await attempt(['--data', data, '--labels', data], /labels-twice|labels once/);
    await attempt(['--data', data, '--provider', 'cuda'], /cuda|CUDA/);
  });

  it('an .npy without labels, and says how to give them', async () => {
    const folder = await prepared((data) => data);
    const { images } = tensors(await samples());
    if (images === undefined) throw new Error('fixtures');
    writeFileSync(join(folder, 'images.npy'), encodeNpy(images));
    const result = await lossgraft(['run', join(folder, 'net.onnx'), '--data', join(folder, 'images.npy')]);
    expectRefusal(result, /Give the labels with --labels\./, folder, [...FILES, 'images.npy']);
  });

  it('a model that was not augmented', async () => {
    const folder = temporaryFolder();
    expectRefusal(
      await lossgraft(['run', MODEL, '--data', TRAIN]),
      /lossgraft predict for predictions\. For the losses of samples, augment it first/,
      folder,
    );
  });
});

describe('the command line itself', () => {
  it.each<[string[], RegExp]>([
    [[], /Which command\?/],
    [['agment'], /Did you mean augment\?/],
    [['train-the-cat', 'x'], /Unknown command: train-the-cat\. The commands are .*inspect,/],
    [['inspect'], /<model> is missing: lossgraft inspect <model>\nlossgraft inspect --help shows the usage/],
    [['inspect', MODEL, 'more'], /Unknown argument: more/],
    [['validate'], /<dirs\.\.> is missing: lossgraft validate <dirs\.\.>/],
    [['run', MODEL, '--data'], /Not enough arguments following: data/],
  ])('%j', async (args, message) => {
    const folder = temporaryFolder();
    expectRefusal(await lossgraft(args), message, folder);
  });

  it('shows the stack of an error only with --debug or LOSSGRAFT_DEBUG', async () => {
    const args = ['inspect', join(ROOT, 'none.onnx')];
    expect((await lossgraft(args)).stderr.trim().split('\n')).toHaveLength(1);
    expect((await lossgraft([...args, '--debug'])).stderr).toMatch(/^\s+at /m);
    expect((await lossgraft(args, { env: { LOSSGRAFT_DEBUG: '1' } })).stderr).toMatch(/^\s+at /m);
  });

  it('a defect of ours is called so', async () => {
    const { printFailure, statusOf } = await import('../../cli/failure.ts');
    const defect = new TypeError('x is not a function');
    const written: string[] = [];
    const real = process.stderr.write;
    process.stderr.write = (text: string | Uint8Array): boolean => written.push(String(text)) > 0;
    try {
      await printFailure(defect, { debug: false, json: false, help: 'lossgraft --help' });
    } finally {
      process.stderr.write = real;
    }
    expect(statusOf(defect)).toBe(70);
    expect(written.join('')).toMatch(
      /^lossgraft: this is a defect of lossgraft.*\n.*TypeError: x is not a function\n\s+at /s,
    );
  });
});

it('data in memory are data too', async () => {
  const data = fromTensors({ labels: { dtype: 'int64', dims: [3], data: BigInt64Array.of(1n, 2n, 3n) } });
  expect(await data.columns.get('labels')?.read(1, 2)).toEqual({
    dtype: 'int64',
    dims: [2],
    data: BigInt64Array.of(2n, 3n),
  });
});
