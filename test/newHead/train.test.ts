import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluate, exportRun, fromTensors, inspect, open, rehead, train } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { onnx } from '../onnx/models.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';
import { digitsWith, weightsIn } from '../support/digits.ts';
import { readDigits, WORDS, writeDigits, writeVit } from '../support/namedDigits.ts';
import { readOnnx } from '../support/onnxFile.ts';
import { centroids, digits, MODEL, named, regroup, trained } from '../support/otherClasses.ts';

async function predicted(path: string, images: Tensor): Promise<number[]> {
  const session = await openSession(path, { provider: 'cpu' });
  const { logits } = await session.run({ images });
  await session.close();
  const scores = logits ? toNumbers(logits) : [];
  const classes = logits?.dims[1] ?? 1;
  return Array.from({ length: scores.length / classes }, (_, i) => {
    const row = scores.slice(i * classes, (i + 1) * classes);
    return row.indexOf(Math.max(...row));
  });
}

describe('class means', () => {
  it('give the classes that the nearest centroid gives, as scikit-learn has it', async () => {
    using model = await open(MODEL);
    const path = join(temporaryFolder(), 'means.onnx');
    const { write, report } = await rehead(model, await named('train', undefined, centroids.rows));
    await write(path);
    const { images } = await digits('test');
    expect(await predicted(path, images)).toEqual(centroids.predicted);
    expect(report.init).toBe('means');
    expect(report.classNames).toEqual(centroids.classes);
  });

  it('set the level of classes that are added, so that both old and new ones are found', async () => {
    // The nine is a class that the model does not have.
    using whole = await open(MODEL);
    const folder = temporaryFolder();
    const nine = await rehead(whole, undefined, { keepClasses: ['0', '1', '2', '3', '4', '5', '6', '7', '8'] });
    await nine.write(join(folder, 'nine.onnx'));
    using model = await open(join(folder, 'nine.onnx'));
    const { write } = await rehead(model, await named('train', String), { addClasses: ['9'] });
    await write(join(folder, 'ten.onnx'));
    const { images, labels } = await digits('test');
    const found = await predicted(join(folder, 'ten.onnx'), images);
    const before = await predicted(join(folder, 'nine.onnx'), images);
    const share = (digit: (label: number) => boolean, guesses: readonly number[]): number => {
      const rows = labels.flatMap((label, i) => (digit(label) ? [i] : []));
      return rows.filter((i) => guesses[i] === labels[i]).length / rows.length;
    };
    expect(share((label) => label === 9, found)).toBeGreaterThan(0.5);
    expect(share((label) => label < 9, found)).toBeGreaterThan(share((label) => label < 9, before) - 0.1);
  });

  it('are the same for the same seed', async () => {
    using model = await open(MODEL);
    const folder = temporaryFolder();
    for (const name of ['a', 'b']) {
      const { write } = await rehead(model, await named('train'), { seed: 3 });
      await write(join(folder, `${name}.onnx`));
    }
    expect(readFileSync(join(folder, 'a.onnx')).equals(readFileSync(join(folder, 'b.onnx')))).toBe(true);
  });

  it('are refused where rows are picked behind the layer', async () => {
    using model = await open(join(ROOT, 'fixtures/newHead/token_rows.onnx'));
    const x: Tensor = { dtype: 'float32', dims: [4, 2, 4], data: new Float32Array(32) };
    const labels: Tensor = { dtype: 'int64', dims: [4], data: BigInt64Array.of(0n, 1n, 0n, 1n) };
    await expect(rehead(model, fromTensors({ x, labels }))).rejects.toMatchObject({ code: 'head-init' });
  });
});

describe('rows that stay', () => {
  it.each(['raw', 'typed', 'constant', 'external'] as const)('keep their bits, weights %s', async (storage) => {
    const [from, to] = [temporaryFolder(), temporaryFolder()];
    using model = await open(digitsWith(storage, from));
    const { write } = await rehead(model, undefined, { addClasses: ['ten'] });
    await write(join(to, 'more.onnx'), { copyExternalData: true });
    const [before, after] = [weightsIn(join(from, 'net.onnx'), from), weightsIn(join(to, 'more.onnx'), to)];
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    for (const [name, weights] of before) {
      const own = after.get(name) ?? new Float32Array();
      const bits = Buffer.from(own.buffer, own.byteOffset, weights.byteLength);
      expect(bits.equals(Buffer.from(weights.buffer, weights.byteOffset, weights.byteLength)), name).toBe(true);
      expect(own).toHaveLength(name === 'fc2.weight' ? weights.length + 64 : name === 'fc2.bias' ? 11 : weights.length);
    }
  });
});

describe('train with a new head', () => {
  it('learns the classes of the data, and writes a model that knows their names', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'tuned.onnx');
    const result = await trained(join(folder, 'run'), { head: 'new', refit: false, test: await named('test') });
    await result.write(path);
    expect(result.changedHead).toMatchObject({ init: 'means', sources: [null, null, null], names: centroids.classes });
    expect(result.decision?.taken).not.toBeNull();
    expect(result.decision?.why).toContain('against the new last layer before training');
    const [before, after] = [result.before.judged, result.arms[0]?.judged];
    expect(after?.balancedAccuracy).toBeGreaterThan((before?.balancedAccuracy ?? 1) + 0.1);
    expect(readOnnx(readFileSync(path)).outputs).toEqual({ logits: 'float32 [N, 3]' });
    using model = await open(path);
    expect((await inspect(model)).classNames?.names ?? []).toEqual(centroids.classes);
    const { metrics } = await evaluate(model, await named('test'));
    expect(metrics.balancedAccuracy).toBeCloseTo(after?.balancedAccuracy ?? 0, 6);
  });

  it('says what it is judged against, and that a new head has no order to check', async () => {
    const { notes } = await trained(join(temporaryFolder(), 'run'), { head: 'new', epochs: 1 });
    expect(notes.join('\n')).toContain(
      'The last layer gets 3 classes: 0 even, 1 low, 2 odd; 3 are new, from class means',
    );
    expect(notes.join('\n')).toContain('no order of classes yet');
    expect(notes.join('\n')).toContain('judged against the model with this last layer before training (class means');
  });

  it('writes the head as it began where training makes nothing better', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'tuned.onnx');
    const report = join(folder, 'report.html');
    const result = await trained(join(folder, 'run'), { head: 'new', epochs: 1, learningRate: 1e-12, report });
    expect(result.decision).toMatchObject({ taken: null, startIsWritten: true });
    const page = readFileSync(report, 'utf8');
    expect(page).toContain('this run writes the new last layer as it was before training');
    expect(page).toContain('in points against the new last layer before training');
    await result.write(path);
    const zeros = await trained(join(folder, 'zeros'), {
      head: 'new',
      epochs: 1,
      learningRate: 1e-12,
      headInit: 'zeros',
    });
    expect(zeros.decision).toMatchObject({ taken: null, startIsWritten: false });
    await expect(zeros.write(join(folder, 'no.onnx'))).rejects.toMatchObject({ code: 'not-better' });
    expect(existsSync(join(folder, 'no.onnx'))).toBe(false);
  });

  it('goes on after an interruption as if there had been none, and exports the same model', async () => {
    const folder = temporaryFolder();
    const options = { head: 'new', epochs: 4, compare: ['ce'] } as const;
    const whole = await trained(join(folder, 'whole'), options);
    await whole.write(join(folder, 'whole.onnx'), { anyway: true });
    const stop = new AbortController();
    const run = join(folder, 'run');
    const cut = await trained(run, {
      ...options,
      signal: stop.signal,
      onEpoch: ({ epoch }) => epoch === 2 && stop.abort(),
    });
    expect(cut.interrupted).toBe(true);
    const resumed = await trained(run, { ...options, mode: 'resume' });
    await resumed.write(join(folder, 'resumed.onnx'), { anyway: true });
    const bytes = readFileSync(join(folder, 'whole.onnx'));
    expect(readFileSync(join(folder, 'resumed.onnx')).equals(bytes)).toBe(true);
    const [arm] = whole.arms;
    await exportRun(run, join(folder, 'exported.onnx'), { arm: arm?.name ?? '' });
    expect(readFileSync(join(folder, 'exported.onnx')).equals(bytes)).toBe(true);
    await expect(exportRun(run, MODEL, { arm: arm?.name ?? '', force: true })).rejects.toMatchObject({
      code: 'output-is-input',
    });
  });

  it('keeps the float type of the file', async () => {
    const folder = temporaryFolder();
    const given = join(ROOT, 'fixtures/newHead/half.onnx');
    const label = (i: number): number => i % 3;
    const x: Tensor = {
      dtype: 'float32',
      dims: [90, 4],
      data: Float32Array.from({ length: 360 }, (_, i) => Math.sin(i) + (label(i >> 2) === i % 4 ? 1 : 0)),
    };
    const data = Array.from({ length: 90 }, (_, i) => `class ${label(i)}`);
    const samples = fromTensors({ x, labels: { dtype: 'string', dims: [90], data } }, 'halves');
    using model = await open(given);
    const how = { report: false, epochs: 2, data: samples, folder: join(folder, 'run') } as const;
    const result = await train(model, { ...how, head: 'new' });
    await result.write(join(folder, 'tuned.onnx'), { anyway: true });
    const [before, after] = [given, join(folder, 'tuned.onnx')].map((path) => readOnnx(readFileSync(path)));
    expect(after?.outputs.y).toBe(before?.outputs.y?.replace('5]', '3]'));
    const kept = onnx.ModelProto.decode(readFileSync(join(folder, 'tuned.onnx'))).graph?.initializer ?? [];
    expect(kept.map(({ name, dataType }) => [name, dataType])).toEqual([
      ['w', 10],
      ['b', 10],
    ]);
  });

  it('adds a class to those that stay', async () => {
    const { images, labels } = await digits('train');
    // Pictures upside down are of an eleventh class.
    const pixels = toNumbers(images);
    const turned = pixels.map((_, i) => pixels[i - (i % 64) + (63 - (i % 64))] ?? 0);
    const both: Tensor = {
      ...images,
      dims: [2 * labels.length, 1, 8, 8],
      data: Float32Array.from([...pixels, ...turned]),
    };
    const given = BigInt64Array.from([...labels, ...labels.map(() => 10)], BigInt);
    const data = fromTensors({ images: both, labels: { dtype: 'int64', dims: [given.length], data: given } }, 'eleven');
    const result = await trained(join(temporaryFolder(), 'run'), { data, addClasses: ['turned'], epochs: 4 });
    expect(result.changedHead?.sources).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, null]);
    expect(result.classNames?.at(-1)).toBe('turned');
    expect(result.decision?.taken).not.toBeNull();
  });
});

describe('a folder of Hugging Face', () => {
  it('gets a copy whose config.json names the new classes, and nothing else changes in it', async () => {
    const folder = temporaryFolder();
    writeVit(join(folder, 'vit'), WORDS);
    const config = join(folder, 'vit/config.json');
    writeFileSync(
      config,
      JSON.stringify(JSON.parse(readFileSync(config, 'utf8')), null, 2).replace(
        '"hidden_dropout_prob": 0,',
        '"hidden_dropout_prob": 0.0,',
      ),
    );
    const groups = WORDS.map((_, digit) => centroids.classes[regroup(digit)]);
    mkdirSync(join(folder, 'data'));
    await writeDigits(join(folder, 'data'), groups);
    const { stderr, code } = await lossgraft(
      [
        'train',
        'vit',
        '--data',
        'data',
        '--channels',
        '1',
        '--head',
        'new',
        '--epochs',
        '3',
        '--no-report',
        '--write-anyway',
      ],
      { cwd: folder },
    );
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    const [before, after] = [config, join(folder, 'vit-tuned/config.json')].map((path) => readFileSync(path, 'utf8'));
    const cut = (text = ''): string => text.replace(/"(id2label|label2id)": \{[^}]*\}/g, '"$1": {}');
    expect(cut(after)).toBe(cut(before));
    const { id2label, label2id } = JSON.parse(after ?? '');
    expect(id2label).toEqual({ 0: 'even', 1: 'low', 2: 'odd' });
    expect(label2id).toEqual({ even: 0, low: 1, odd: 2 });
    const evaluated = await lossgraft(['evaluate', 'vit-tuned', '--data', 'data', '--channels', '1', '--json'], {
      cwd: folder,
    });
    const { metrics } = JSON.parse(evaluated.stdout);
    const { digits: all } = await readDigits();
    expect(metrics.samples).toBe(all.length);
    expect(metrics.balancedAccuracy).toBeGreaterThan(0.6);
  });
});
