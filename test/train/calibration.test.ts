import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  calibrate,
  type Dataset,
  evaluate,
  exportRun,
  fromTensors,
  inspect,
  open,
  openData,
  type Tensor,
  type TrainOptions,
  type TrainResult,
  train,
} from '../../src/index.ts';
import { pickRows } from '../../src/tensorRows.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const FOLDER = join(ROOT, 'fixtures/calibrate');
/** Hardly any training: what changes is the calibration. */
const PLAIN = { method: 'plain', epochs: 1, learningRate: 1e-6, report: false } as const;

interface Done {
  readonly result: TrainResult;
  readonly path: string;
  readonly folder: string;
}

/** Fewer samples of the frequent class, so that intervals are drawn sooner. */
async function samplesIn(path: string): Promise<Dataset> {
  using data = await openData(path);
  const read = async (name: string): Promise<Tensor> => {
    const column = data.columns.get(name);
    if (!column) throw new Error(`no ${name} in ${path}`);
    return column.read(0, column.dims[0] ?? 0);
  };
  const [x, labels] = [await read('x'), await read('labels')];
  const classes = Array.from(labels.data, Number);
  const frequent = classes.filter((label) => label === 0).length;
  const isKept = (label: number, row: number): boolean => label > 0 || row % Math.ceil(frequent / 700) === 0;
  const rows = Uint32Array.from(classes.flatMap((label, row) => (isKept(label, row) ? [row] : [])));
  return fromTensors({ x: pickRows(x, rows), labels: pickRows(labels, rows) }, path);
}

/** Trains on the samples called test.npz, chooses by validation.npz, and judges the former. */
async function run(name: string, options: Partial<TrainOptions>, home = FOLDER): Promise<Done> {
  using model = await open(join(home, name));
  const data = await samplesIn(join(home, 'test.npz'));
  const validation = await samplesIn(join(home, home === FOLDER ? 'validation.npz' : 'train.npz'));
  const folder = temporaryFolder();
  const path = join(folder, 'tuned.onnx');
  const result = await train(model, { ...PLAIN, data, validation, test: data, folder, ...options });
  await result.write(path, { anyway: true });
  return { result, path, folder };
}

/** What the file itself says of the samples that the run judged. */
async function expectAsJudged({ result, path }: Done, home = FOLDER): Promise<void> {
  using model = await open(path);
  const { metrics } = await evaluate(model, await samplesIn(join(home, 'test.npz')));
  const judged = result.arms[0]?.test;
  expect(metrics.confusion).toEqual(judged?.confusion);
  expect(Math.abs((metrics.logLoss ?? 0) / (judged?.logLoss ?? 0) - 1)).toBeLessThan(1e-5);
}

const calibrationOf = ({ result }: Done) => result.decision?.candidates[0]?.calibration;

describe('train with calibrate', () => {
  let uncalibrated: Promise<Done>;
  beforeAll(() => {
    uncalibrated = run('net.onnx', {});
  });

  it('writes what calibrate makes of the trained model: the same bytes, of which few are new, with the figures of the run', async () => {
    const [plain, made] = [await uncalibrated, await run('net.onnx', { calibrate: 'logit-adjustment' })];
    expect(plain.result.decision?.candidates[0]).not.toHaveProperty('calibration');
    expect(made.result.decision?.taken).toEqual({ arm: 'ce', share: 1 });
    expect(made.result.decision?.why).toMatch(/^with ce, calibrated by logit-adjustment with τ \d/);
    await expectAsJudged(made);
    const [before, after] = [plain, made].map(({ result }) => result.arms[0]?.test?.macroF1 ?? 0);
    expect((after ?? 0) - (before ?? 1)).toBeGreaterThan(0.05);
    using model = await open(plain.path);
    const data = await samplesIn(join(FOLDER, 'validation.npz'));
    const own = await calibrate(model, data, { classCounts: made.result.classCounts });
    expect(calibrationOf(made)).toMatchObject({ parameter: own.report.parameter, decision: 'take' });
    const again = join(plain.folder, 'calibrated.onnx');
    await own.write(again);
    expect(readFileSync(made.path).equals(readFileSync(again))).toBe(true);
    const [a, b] = [readFileSync(plain.path), readFileSync(made.path)];
    expect(a.reduce((count, byte, i) => count + Number(byte !== b[i]), 0)).toBeLessThanOrEqual(12);
    const exported = join(made.folder, 'exported.onnx');
    await exportRun(made.folder, exported, { arm: 'ce' });
    expect(readFileSync(exported).equals(b)).toBe(true);
  });

  it('says that a calibration goes into nodes before it trains, and writes them', async () => {
    const notes: string[] = [];
    const made = await run('unbiased.onnx', { calibrate: 'biases', onNote: (note) => notes.push(note) });
    expect(notes.join()).toMatch(
      /goes into nodes behind the scores: the last layer has no weights and bias of its own/,
    );
    expect(calibrationOf(made)?.decision).toBe('take');
    await expectAsJudged(made);
    using model = await open(made.path);
    expect(JSON.stringify((await inspect(model)).ops)).toContain('"Add"');
  });

  it('writes what calibrate makes of a trained model of several labels', async () => {
    const home = join(ROOT, 'fixtures/multiLabel');
    const of = async (options: Partial<TrainOptions>) => {
      using given = await open(join(home, 'cnn.onnx'));
      const [data, validation] = [await openData(join(home, 'train.npz')), await openData(join(home, 'test.npz'))];
      const folder = temporaryFolder();
      const result = await train(given, { ...PLAIN, test: data, ...options, data, validation, folder });
      await result.write(join(folder, 't.onnx'), { anyway: true });
      return { result, folder, path: join(folder, 't.onnx'), data, validation };
    };
    const [plain, made] = [await of({}), await of({ calibrate: 'biases' })];
    expect(calibrationOf(made)?.decision).toBe('take');
    expect(made.result.decision?.why).toMatch(/^with bce, calibrated by biases, /);
    using model = await open(made.path);
    const { metrics } = await evaluate(model, made.data);
    expect(metrics.macroF1).toBe(made.result.arms[0]?.test?.macroF1);
    expect(metrics.macroF1).not.toBe(plain.result.arms[0]?.test?.macroF1);
    using uncalibrated = await open(plain.path);
    const own = await calibrate(uncalibrated, plain.validation, { method: 'biases' });
    const again = join(plain.folder, 'calibrated.onnx');
    await own.write(again, { anyway: true });
    using other = await open(again);
    const same = await evaluate(other, made.data);
    expect(metrics.logLoss).toBeCloseTo(same.metrics.logLoss ?? 0, 6);
    expect(metrics.macroF1).toBe(same.metrics.macroF1);
    await expect(of({ calibrate: 'biases', threshold: 'tune' })).rejects.toThrow(
      /option threshold\] expected numbers beside `calibrate`, which changes the scores/,
    );
  });

  it('a temperature changes the probabilities and no decision', async () => {
    const [plain, made] = [await uncalibrated, await run('net.onnx', { calibrate: 'temperature' })];
    const [before, after] = [plain, made].map(({ result }) => result.arms[0]?.test);
    expect(calibrationOf(made)?.decision).toBe('take');
    expect(after?.confusion).toEqual(before?.confusion);
    expect(after?.logLoss).toBeLessThan(before?.logLoss ?? 0);
    await expectAsJudged(made);
  });

  it('folds into one logit of two classes, and behind the scales of classes', async () => {
    const home = join(ROOT, 'fixtures/binary');
    const binary = await run('logit-n1-legacy-free.onnx', { calibrate: 'temperature' }, home);
    expect(calibrationOf(binary)?.decision).toBe('take');
    await expectAsJudged(binary, home);
    const scaled = await run('net.onnx', { method: 'lws', learningRate: 0.01, calibrate: 'temperature' });
    expect(calibrationOf(scaled)?.decision).toBe('take');
    await expectAsJudged(scaled);
  });

  it('leaves out what is not shown to help, and says why', async () => {
    const own = { validation: 0.2, method: 'half', learningRate: undefined, epochs: 2 } as const;
    const digits = async (more: Partial<TrainOptions>): Promise<Done> => {
      using model = await open(join(ROOT, 'fixtures/digits/model.onnx'));
      using data = await openData(join(ROOT, 'fixtures/digits/train.npz'));
      const folder = temporaryFolder();
      const { learningRate: _, ...options } = { ...PLAIN, ...own, ...more };
      const result = await train(model, { ...options, data, folder });
      await result.write(join(folder, 't.onnx'), { anyway: true });
      return { result, path: join(folder, 't.onnx'), folder };
    };
    const [plain, made] = [
      await digits({ refit: false }),
      await digits({ refit: false, calibrate: 'logit-adjustment' }),
    ];
    expect(calibrationOf(made)?.decision).toBe('untold');
    expect(made.result.decision?.why).toMatch(
      /^with logit-adjustment, without logit-adjustment calibration \(.*; class \d has only 1/,
    );
    expect(made.result.arms[0]?.judged).toEqual(plain.result.arms[0]?.judged);
    expect(readFileSync(made.path).equals(readFileSync(plain.path))).toBe(true);
  });
});

describe('--calibrate', () => {
  const args = ['train', join(FOLDER, 'net.onnx'), '--data', join(FOLDER, 'test.npz')];
  const more = ['--validation', join(FOLDER, 'validation.npz'), '--method', 'plain', '--learning-rate', '1e-6'];

  it('alone adjusts logits; the table and the report say so', async () => {
    const folder = temporaryFolder();
    const out = ['-o', join(folder, 't.onnx'), '--run', join(folder, 'r'), '--epochs', '1'];
    const { code, stdout, stderr } = await lossgraft([...args, ...more, ...out, '--calibrate']);
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('error')]);
    expect(stdout).toMatch(/^ce, calibrated +1 /m);
    expect(stdout).toMatch(/^Taken: with ce, calibrated by logit-adjustment with τ /m);
    const page = readFileSync(join(folder, 'r/report.html'), 'utf8');
    expect(page).toMatch(/This run writes <b>ce<\/b>, calibrated by logit-adjustment/);
    expect(page).toMatch(/By logit-adjustment, τ [\d.]+, fitted on the validation data after training/);
    const other = await lossgraft([...args, ...more, ...out, '--resume', '--force']);
    expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('calibrate')]);
  });

  it('knows its methods', async () => {
    const { code, stderr } = await lossgraft([...args, '--calibrate', 'platt']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(
        '--calibrate expects one of logit-adjustment, temperature, biases, or nothing, and found "platt"',
      ),
    ]);
  });
});
