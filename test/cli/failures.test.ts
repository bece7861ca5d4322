import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeNpz } from '../../src/index.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const MODEL = join(ROOT, 'fixtures/digits/model.onnx');
const TRAIN = join(ROOT, 'fixtures/digits/train.npz');

describe('what may be meant', () => {
  it.each([
    [['trian', MODEL], /Unknown command: trian\. Did you mean train\?\n/],
    [['evalute', MODEL], /Unknown command: evalute\. Did you mean evaluate\?\n/],
    [['fit'], /Did you mean lossgraft train\?/],
    [['qqqqqq'], /Unknown command: qqqqqq\. The commands are .*inspect, augment,/],
    [
      ['train', MODEL, '--data', TRAIN, '-o', 't.onnx', '--lr', '0.1'],
      /--lr \(did you mean --learning-rate\?\)\nlossgraft train --help/,
    ],
    [['train', MODEL, '--data', TRAIN, '-o', 't.onnx', '--epoch', '3'], /--epoch \(did you mean --epochs\?\)/],
    [
      ['train', MODEL, '--data', TRAIN, '-o', 't.onnx', '--learning_rate=3'],
      /--learning_rate \(did you mean --learning-rate\?\)/,
    ],
    [
      ['train', MODEL, '--data', TRAIN, '-o', 't.onnx', '--wd', '3', '--bs', '3'],
      /Unknown options: --wd \(did you mean --weight-decay\?\), --bs \(did you mean --batch-size\?\)/,
    ],
    [['inspect', MODEL, '--zzzzzz'], /Unknown option: --zzzzzz\n/],
    [['inspect', MODEL, '--lr', '1'], /Unknown option: --lr\n/],
  ])('%j', async (args, message) => {
    const { code, stderr, stdout } = await lossgraft(args, { cwd: temporaryFolder() });
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, '']);
  });
});

describe('errors under --json', () => {
  const errorOf = async (args: readonly string[], cwd = temporaryFolder()) => {
    const { code, stdout, stderr } = await lossgraft([...args, '--json'], { cwd });
    const { error } = JSON.parse(stdout) as { error: Readonly<Record<string, unknown>> };
    expect(error.status).toBe(code);
    expect(stderr).toMatch(/^lossgraft: /m);
    return error;
  };

  it('of bad input', async () => {
    expect(await errorOf(['inspect', 'none.onnx'])).toMatchObject({
      code: 'open-failed',
      where: 'none.onnx',
      expected: 'a readable file',
      status: 2,
    });
  });

  it.each([
    [['train']],
    [['trian']],
    [[]],
    [['train', MODEL, '--lr', '3']],
    [['augment', MODEL, '-o', 'o.onnx', '--loss', 'ibb']],
    [['augment', MODEL, '-o', 'o.onnx', '--loss', 'ib', '--alpha', 'much']],
  ])('of wrong usage: %j', async (args) => {
    expect(await errorOf(args)).toMatchObject({ code: 'usage', status: 2, message: expect.stringMatching(/./) });
  });

  it('of a training that diverges, whose status is its own, 3', async () => {
    const folder = temporaryFolder();
    const options = ['--loss', 'ce', '--epochs', '2', '--no-report', '--trainable', 'all', '--learning-rate', '1e30'];
    const error = await errorOf(['train', MODEL, '--data', TRAIN, '-o', 't.onnx', ...options], folder);
    expect(error).toMatchObject({ code: 'nan-loss', status: 3, expected: 'a finite loss' });
  });
});

it('a loss that only the validation data show to be no longer finite is told after the epoch, with status 3', async () => {
  const folder = temporaryFolder();
  const images = new Float32Array(40 * 64).fill(0.5);
  const labels = BigInt64Array.from({ length: 40 }, (_, i) => BigInt(i % 10));
  await writeNpz(join(folder, 'd.npz'), {
    images: { dtype: 'float32', dims: [40, 1, 8, 8], data: images },
    labels: { dtype: 'int64', dims: [40], data: labels },
  });
  const options = ['--loss', 'ce', '--epochs', '1', '--no-report', '--learning-rate', '1e30', '--batch-size', '64'];
  const { code, stderr } = await lossgraft(['train', MODEL, '--data', 'd.npz', '-o', 't.onnx', ...options], {
    cwd: folder,
  });
  expect(stderr).toMatch(/validation data.*likely cause: the learning rate is too high/);
  expect(code).toBe(3);
});
