import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromTensors, inspect, open, openData, type TrainOptions, type TrainResult, train } from '../../src/index.ts';
import { opened } from '../../src/model.ts';
import { alignData } from '../../src/train/classes.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';
import { accuracyOf, WORDS, writeDigits, writeVit } from '../support/namedDigits.ts';
import { readOnnx } from '../support/onnxFile.ts';

interface Run extends TrainResult {
  readonly said: readonly string[];
  readonly output: string;
}

/** Trains the head of a model on a folder for an epoch, and writes it. */
async function trained(path: string, data: string, more: Partial<TrainOptions> = {}): Promise<Run> {
  const model = await open(path);
  const images = await openData(data, { channels: 1 });
  const said: string[] = [];
  const folder = temporaryFolder();
  const output = join(folder, 'tuned.onnx');
  try {
    const result = await train(model, {
      data: images,
      folder: join(folder, 'run'),
      report: false,
      ...{ loss: 'ce', trainable: 'head', epochs: 1, learningRate: 0.01 },
      onNote: (text) => said.push(text),
      ...more,
    });
    await result.write(output, { anyway: true });
    return { ...result, said, output };
  } finally {
    images.close();
    model.close();
  }
}

async function classNamesOf(path: string) {
  const model = await open(path);
  const { classNames } = await inspect(model);
  model.close();
  return classNames;
}

/** Words that stand for digits, so that their sorted order is another one each time. */
const ORDERS: readonly (readonly number[])[] = [
  [3, 7, 0, 9, 1, 4, 8, 2, 6, 5],
  [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
  [5, 2, 9, 0, 6, 1, 7, 3, 8, 4],
];

describe('a folder of ten classes and a model of Hugging Face', () => {
  it.each(ORDERS)('%i %i %i %i %i %i %i %i %i %i', async (...order) => {
    const names = order.map((k) => WORDS[k] ?? '');
    const folder = temporaryFolder();
    const model = writeVit(folder, names);
    const run = await trained(model, await writeDigits(join(folder, 'data'), names));
    expect(run.said.join('\n')).toMatch(/matched by name with id2label of .*config\.json: classes 0 \w+, 1 /);
    const untouched = await accuracyOf(model);
    expect(untouched).toBeGreaterThan(0.85);
    expect(run.before.validation?.accuracy).toBeGreaterThan(0.8);
    expect(await accuracyOf(run.output)).toBeGreaterThanOrEqual(untouched);
    const { id2label } = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    expect(run.classNames).toEqual(Object.values(id2label));
    expect(await classNamesOf(run.output)).toEqual({ names: run.classNames, from: "lossgraft's manifest" });
  });

  it('of which the data lack three learns the others', async () => {
    const folder = temporaryFolder();
    const model = writeVit(folder, WORDS);
    const some = WORDS.map((name, digit) => (digit % 4 === 1 ? undefined : name));
    const run = await trained(model, await writeDigits(join(folder, 'data'), some), { loss: 'ib' });
    expect(run.said.join('\n')).toMatch(/; no samples of 5 nine, 6 five, 7 one$/m);
    expect(run.classCounts.filter((count) => count === 0)).toHaveLength(3);
    expect(run.before.validation?.accuracy).toBeGreaterThan(0.8);
    expect(run.classNames).toHaveLength(10);
  });

  it('is refused with names that differ, before anything is trained', async () => {
    const folder = temporaryFolder();
    const model = writeVit(folder, WORDS);
    const data = await writeDigits(join(folder, 'data'), WORDS.with(3, 'Three'));
    await expect(trained(model, data)).rejects.toThrow(
      /data.Three\] .* found "Three" \(nearest: "three"\)\. .*`classes: "eight,two,/,
    );
    const { classNames } = await trained(model, data, {
      classNames: ['eight', 'two', 'zero', 'seven', 'six', 'nine', 'five', 'one', 'four', 'Three'],
    });
    expect(classNames?.[9]).toBe('Three');
  });

  it('is refused where the model names one class less than it has', async () => {
    const folder = temporaryFolder();
    const model = writeVit(folder, WORDS);
    const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'));
    const { 9: _, ...id2label } = config.id2label;
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ id2label }));
    const data = await writeDigits(join(folder, 'data'), WORDS);
    await expect(trained(model, data)).rejects.toThrow(
      /id2label of .*\] expected 10 names, .* found 9\. .*`classNames`/,
    );
  });

  it('validation and test data are matched by name, whatever they lack', async () => {
    const folder = temporaryFolder();
    const model = writeVit(folder, WORDS);
    const data = await writeDigits(join(folder, 'data'), WORDS);
    const part = await writeDigits(
      join(folder, 'part'),
      WORDS.with(0, '').map((name) => name || undefined),
    );
    const [validation, test] = [await openData(part, { channels: 1 }), await openData(part, { channels: 1 })];
    const run = await trained(model, data, { validation, test });
    expect(run.before.validation?.accuracy).toBeGreaterThan(0.8);
    expect(run.before.test?.accuracy).toBeGreaterThan(0.8);
  });
});

describe('a model that names no classes', () => {
  const PLAIN = join(ROOT, 'fixtures/digits/model.onnx');

  it('gets those of the data in sorted order, which is said, and the tuned file keeps them', async () => {
    const names = [...'abcdefghij'];
    const run = await trained(PLAIN, await writeDigits(join(temporaryFolder(), 'data'), names));
    expect(run.said.join('\n')).toMatch(/classes 0 a, 1 b, .* in SORTED ORDER, since nothing tells/);
    expect(run.before.validation?.accuracy).toBeGreaterThan(0.7);
    expect(await classNamesOf(run.output)).toEqual({ names, from: "lossgraft's manifest" });
  });

  it('reads folders of whole numbers as indices, and its file stays without names', async () => {
    const run = await trained(
      PLAIN,
      await writeDigits(
        join(temporaryFolder(), 'data'),
        WORDS.map((_, k) => String(k)),
      ),
    );
    expect(run.before.validation?.accuracy).toBeGreaterThan(0.7);
    expect(run.classNames).toBeNull();
    expect(readOnnx(readFileSync(run.output)).metadata).toEqual(readOnnx(readFileSync(PLAIN)).metadata);
  });
});

describe('labels in another order than the model’s classes', () => {
  /** The ViT alone: nothing tells its classes. */
  async function without(names: readonly string[]): Promise<{ model: string; data: string }> {
    const folder = temporaryFolder();
    const model = join(folder, 'model.onnx');
    copyFileSync(writeVit(join(folder, 'hf'), WORDS), model);
    return { model, data: await writeDigits(join(folder, 'data'), names) };
  }

  it('stop a run before anything is trained, which says the order that fits; with it, the run is right', async () => {
    const { model, data } = await without(WORDS);
    const output = join(temporaryFolder(), 'tuned.onnx');
    const how = [
      '--channels',
      '1',
      '--write-anyway',
      '--loss',
      'ce',
      '--trainable',
      'head',
      '--epochs',
      '1',
      '--no-report',
    ];
    const args = ['train', model, '--data', data, '-o', output, ...how];
    const refused = await lossgraft(args);
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toMatch(/SORTED ORDER/);
    expect(refused.stderr).not.toMatch(/epoch 1/);
    expect(refused.stderr).toMatch(
      /gets [\d.]+ % of 239 samples right \(chance gives [\d.]+ %\), but (8[5-9]|9\d)\.\d % if these labels mean/,
    );
    const [, order] = /the order that fits, (--classes [\w,]+)/.exec(refused.stderr) ?? [];
    expect(order).toBe('--classes eight,two,zero,seven,six,nine,five,one,four,three');
    const right = await lossgraft([...args, ...(order ?? '').split(' ')]);
    expect(right.code, right.stderr).toBe(0);
    expect(await accuracyOf(output)).toBeGreaterThan(0.85);
    const trusted = await lossgraft([...args, '--trust-labels', '--force']);
    expect(trusted.code, trusted.stderr).toBe(0);
  });

  it('as numbers too, with an order that --classes takes', async () => {
    const { model, data } = await without(WORDS.map((_, k) => String(k)));
    const refusal = await trained(model, data).catch((error: unknown) => String(error));
    expect(refusal).toMatch(/`classes: "8,2,0,7,6,9,5,1,4,3"`; or/);
    const run = await trained(model, data, { classNames: [...'8207695143'] });
    expect(run.before.validation?.accuracy).toBeGreaterThan(0.8);
  });

  it('by a config.json that is wrong are found as well', async () => {
    const folder = temporaryFolder();
    const model = writeVit(folder, WORDS);
    const data = await writeDigits(join(folder, 'data'), [...WORDS.slice(3), ...WORDS.slice(0, 3)]);
    await expect(trained(model, data)).rejects.toThrow(
      /as id2label of .*config\.json names them, found others: .*`trustLabels`/,
    );
  });
});

it('of very many classes the check of their order looks at some, which is said before the work', async () => {
  const model = opened(await open(join(ROOT, 'fixtures/digits/model.onnx')));
  const data = fromTensors({ labels: { dtype: 'int64', dims: [1], data: new BigInt64Array(1) } });
  const said = async (classes: number, more: Partial<TrainOptions> = {}): Promise<string> =>
    (await alignData(model, { data, folder: '', ...more }, { name: 'labels', classes })).notes.join('\n');
  expect(await said(2000)).not.toContain('check of the class order');
  expect(await said(5000)).toContain('looks at 800 of the 5000 classes');
  expect(await said(5000, { trustLabels: true })).not.toContain('check of the class order');
  model.close();
});

it('the names go on from model to augmented model to run', async () => {
  const folder = temporaryFolder();
  const model = writeVit(folder, WORDS);
  const data = await writeDigits(join(folder, 'data'), WORDS);
  const augmented = join(temporaryFolder(), 'augmented.onnx');
  expect((await lossgraft(['augment', model, '-o', augmented, '--loss', 'ce'])).code).toBe(0);
  const { code, stdout, stderr } = await lossgraft(['run', augmented, '--data', data, '--channels', '1']);
  expect(code, stderr).toBe(0);
  expect(stderr).toMatch(/note: .*matched by name with lossgraft's manifest: classes 0 eight, /);
  expect(stderr).toMatch(/^eight +\d+ +0\.\d+$/m);
  expect(stdout).toMatch(/^row,label,loss_per_sample,class\n0,0,[\d.e-]+,eight\n/);
  expect(stderr).not.toMatch(/LABELS SEEM WRONG/);
  const sorted = [...WORDS].sort().join(',');
  const wrong = await lossgraft(['run', augmented, '--data', data, '--channels', '1', '--classes', sorted]);
  expect(wrong.stderr).toMatch(
    /LABELS SEEM WRONG, .*the order that fits, --classes eight,two,zero,seven,six,nine,five,one,four,three/,
  );
});
