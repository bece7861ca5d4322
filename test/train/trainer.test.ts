import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  augment,
  type Dataset,
  fromTensors,
  open,
  openData,
  run as runAugmented,
  type TrainOptions,
  type TrainResult,
  train,
} from '../../src/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';
import { needs } from '../support/needs.ts';

const MODEL = join(DIGITS, 'model.onnx');
const SMALL = {
  loss: 'ib',
  epochs: 2,
  batchSize: 32,
  stepsPerRun: 2,
  learningRate: 0.05,
  augmentation: { padding: 1 },
  folds: 1,
} as const;

interface Run {
  readonly result: TrainResult;
  readonly bytes: Buffer | undefined;
}

/** Trains the digits CNN; the tuned file's bytes where it got to the end. */
async function run(folder: string, options: Partial<TrainOptions>): Promise<Run> {
  const model = await open(MODEL);
  const data = options.data ?? (await openData(join(DIGITS, 'train.npz')));
  try {
    const { loss: _, learningRate: __, ...free } = SMALL;
    const result = await train(model, { ...(options.method ? free : SMALL), ...options, data, folder });
    if (result.interrupted) return { result, bytes: undefined };
    const out = join(folder, 'tuned.onnx');
    await result.write(out, { force: true, anyway: true });
    return { result, bytes: readFileSync(out) };
  } finally {
    data.close();
    model.close();
  }
}

/** Ends a run after so many progress reports. */
function interruptAfter(reports: number): Pick<TrainOptions, 'signal' | 'onProgress'> {
  const stop = new AbortController();
  let left = reports;
  const onProgress = (): void => {
    left -= 1;
    if (left === 0) stop.abort();
  };
  return { signal: stop.signal, onProgress };
}

const MODES: readonly (readonly [string, Partial<TrainOptions>])[] = [
  ['the loss alone', { loss: 'ib' }],
  [
    'two phases, arms, a calibrated alpha',
    { epochs: 3, ibFrom: 1, alpha: 'auto', baseline: true, compare: ['ib-focal'] },
  ],
  ['the default', { method: 'half', epochs: 3 }],
  ['several methods', { method: 'auto', epochs: 1 }],
  ['adamw, the head alone', { optimizer: 'adamw', trainable: 'head', learningRate: 0.001, schedule: 'cosine' }],
];

describe('a run that is interrupted and goes on ends with the same bytes', () => {
  it.each(MODES)('%s', async (_, options) => {
    const whole = await run(temporaryFolder(), options);
    expect(whole.bytes?.equals(readFileSync(MODEL))).toBe(false);
    for (const reports of [1, 4, 9]) {
      const folder = temporaryFolder();
      const cut = await run(folder, { ...options, ...interruptAfter(reports) });
      expect(cut.result.interrupted).toBe(true);
      await expect(cut.result.write(join(folder, 'no.onnx'))).rejects.toThrow(/interrupted/);
      const resumed = await run(folder, { ...options, mode: 'resume' });
      expect(resumed.bytes?.equals(whole.bytes ?? Buffer.alloc(0)), `after ${reports} runs`).toBe(true);
      const plain = ({ seconds: _a, trainSeconds: _b, waitSeconds: _c, ...record }: TrainResult['history'][number]) =>
        record;
      expect(resumed.result.history.map(plain)).toEqual(whole.result.history.map(plain));
      expect(resumed.result.arms.map(({ alpha }) => alpha)).toEqual(whole.result.arms.map(({ alpha }) => alpha));
    }
  });

  it('also where it is done already, and where nothing was written yet', async () => {
    const folder = temporaryFolder();
    const first = await run(folder, { mode: 'resume' });
    const second = await run(folder, { mode: 'resume' });
    expect(second.bytes?.equals(first.bytes ?? Buffer.alloc(0))).toBe(true);
    const files = readdirSync(folder).filter((file) => file.endsWith('.safetensors'));
    // The best one, and the last, from which a longer run would go on.
    expect(files.length).toBe(2);
  });

  it('also where it was cut short between its last step and its end', async () => {
    const folder = temporaryFolder();
    const test = await openData(join(DIGITS, 'test.npz'));
    const first = await run(folder, { test });
    const file = join(folder, 'checkpoint.json');
    const checkpoint = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...checkpoint, outcome: null }));
    const second = await run(folder, { test, mode: 'resume' });
    expect(second.bytes?.equals(first.bytes ?? Buffer.alloc(0))).toBe(true);
    expect(second.result.arms).toEqual(first.result.arms);
    expect(second.result.influence).toEqual(first.result.influence);
  });

  it('other seeds and step counts per run: the first differs, the second does not', async () => {
    const [one, other, grouped] = await Promise.all([
      run(temporaryFolder(), {}),
      run(temporaryFolder(), { seed: 7 }),
      run(temporaryFolder(), { stepsPerRun: 5 }),
    ]);
    expect(other.bytes?.equals(one.bytes ?? Buffer.alloc(0))).toBe(false);
    expect(grouped.bytes?.equals(one.bytes ?? Buffer.alloc(0))).toBe(true);
  });
});

describe('a folder with a run', () => {
  it('is refused, replaced, or gone on with, with the same settings only', async () => {
    const folder = temporaryFolder();
    await run(folder, interruptAfter(2));
    await expect(run(folder, {})).rejects.toThrow(/a folder that holds no run/);
    await expect(run(folder, { mode: 'resume', learningRate: 0.1 })).rejects.toThrow(
      /setting schedule\.rate\] expected what the run began with: 0\.05, found 0\.1/,
    );
    const replaced = await run(folder, { mode: 'replace', learningRate: 0.1 });
    expect(replaced.result.interrupted).toBe(false);
    writeFileSync(join(folder, 'checkpoint.json'), '{"file":');
    await expect(run(folder, { mode: 'resume' })).rejects.toThrow(/a checkpoint of lossgraft train/);
  });
});

describe('metrics', () => {
  it('are in metrics.jsonl and in the result, and the best epoch is by balanced accuracy on validation data', async () => {
    const folder = temporaryFolder();
    const test = await openData(join(DIGITS, 'test.npz'));
    const validation = await openData(join(DIGITS, 'test.npz'));
    const { result } = await run(folder, {
      epochs: 3,
      baseline: true,
      compare: ['ce'],
      validation,
      test,
      alpha: 'auto',
    });
    const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      result.history.map((record) => JSON.parse(JSON.stringify(record))),
    );
    expect(result.history.length).toBe(1 + 3 * 3);
    expect(result.classCounts).toEqual(JSON.parse(readFileSync(join(DIGITS, 'counts.json'), 'utf8')));
    // The figures of fixtures/digits/README.md, which PyTorch gave.
    expect(result.before.test?.accuracy).toBeCloseTo(0.89, 10);
    expect(result.before.test?.recall).toEqual([1, 0.95, 1, 0.9, 0.95, 0.975, 0.925, 0.8, 0.725, 0.675]);
    expect(result.arms.map(({ name }) => name)).toEqual(['ib', 'ce+inverse', 'ce']);
    for (const { name, best, test: judged } of result.arms) {
      const own = result.history.filter(({ arm, epoch }) => arm === name && epoch > 0);
      expect(best.balancedAccuracy).toBe(Math.max(...own.map((record) => record.balancedAccuracy)));
      expect(judged?.balancedAccuracy).toBeCloseTo(best.balancedAccuracy, 10);
    }
    test.close();
    validation.close();
  });

  it('the best epoch is by the metric that was asked for', async () => {
    const costs = Array.from({ length: 10 }, (_, k) => Array.from({ length: 10 }, (__, j) => (j === k ? 0 : 1 + k)));
    const options = { loss: 'ce', epochs: 5, learningRate: 0.1, validation: 0.4, costs, seed: 2 } as const;
    for (const [selectBy, name] of [
      ['macro-f1', 'macroF1'],
      ['mcc', 'mcc'],
      ['pr-auc', 'prAuc'],
      ['log-loss', 'logLoss'],
      ['cost', 'cost'],
    ] as const) {
      const { result } = await run(temporaryFolder(), { ...options, selectBy });
      const all = result.history.filter(({ epoch }) => epoch > 0).map((record) => record[name] ?? Number.NaN);
      const isLower = name === 'logLoss' || name === 'cost';
      const best = isLower ? Math.min(...all) : Math.max(...all);
      expect(result.arms[0]?.best[name], selectBy).toBe(best);
      expect(result.arms[0]?.best.epoch, selectBy).toBe(1 + all.indexOf(best));
      // What was judged in the end are the weights of that epoch, on the same data.
      expect(result.arms[0]?.judged?.[name]).toBeCloseTo(best, 12);
    }
  });

  it.each([
    [{ selectBy: 'cost' }, /a cost matrix \(`costs`\)/],
    [
      {
        costs: [
          [0, 1],
          [1, 0],
        ],
      },
      /10 rows and columns, one for each class of the model, found 2/,
    ],
    [{ costs: [[0, 1]] }, /a square matrix of finite numbers/],
    [{ selectBy: 'f2' }, /accuracy.*macro-f1/],
    [{ selectBy: 'mcc', select: 'last' }, /`select: "best"`/],
  ])('%j is refused', async (options, message) => {
    await expect(run(temporaryFolder(), options as Partial<TrainOptions>)).rejects.toThrow(message);
  });

  it('patience ends an arm', async () => {
    const { result } = await run(temporaryFolder(), { epochs: 9, patience: 2, learningRate: 1e-6 });
    expect(result.history.at(-1)?.epoch).toBe(3);
    expect(result.notes.join()).toMatch(/stopped after epoch 3/);
  });
});

describe('threads', () => {
  it(
    'are as many as were asked for',
    needs(existsSync('/proc/self/task'), 'Linux, which tells the threads of a process'),
    async () => {
      const most = async (threads: number): Promise<number> => {
        let seen = 0;
        const onProgress = (): void => {
          seen = Math.max(seen, readdirSync('/proc/self/task').length);
        };
        await run(temporaryFolder(), { epochs: 1, threads, onProgress });
        return seen;
      };
      const one = await most(1);
      // At least the training graph and the one that judges are open.
      expect(await most(5)).toBeGreaterThanOrEqual(one + 2 * 4);
    },
  );

  it('are at least one', async () => {
    await expect(run(temporaryFolder(), { threads: 0 })).rejects.toThrow(/option threads.*whole number above 0/);
  });
});

describe('a loss that is not finite', () => {
  it('stops, names step, batch and cause, and keeps the last good state', async () => {
    const folder = temporaryFolder();
    const error = await run(folder, { loss: 'ce', learningRate: 1e12, epochs: 9 }).catch((e: Error) => e);
    expect(String(error)).toMatch(
      /epoch \d, step \d+ of 11, batch of row \d+, row \d+.*learning rate \(100000000000\)/,
    );
    expect(String(error)).toContain(folder);
    const { file } = JSON.parse(readFileSync(join(folder, 'checkpoint.json'), 'utf8'));
    expect(readdirSync(folder)).toContain(file);
  });

  it('is trained once more at a tenth of the rate, which is said at once; a run that goes on does the same', async () => {
    const options = {
      loss: 'ce',
      learningRate: 50,
      epochs: 3,
      ibFrom: 1,
      ibRateFactor: 1e-6,
      compare: ['ib'],
    } as const;
    const said: string[] = [];
    const folder = temporaryFolder();
    const whole = await run(folder, { ...options, onNote: (note) => said.push(note) });
    const told = /^ce: the loss was not finite \(.*\); training restarted once at a tenth of the learning rate$/;
    expect(said.filter((note) => told.test(note))).toHaveLength(1);
    expect(whole.result.notes.filter((note) => told.test(note))).toHaveLength(1);
    expect(whole.result.history.map(({ arm, epoch }) => `${arm} ${epoch}`)).toEqual([
      ...['ce 0', 'ce 1', 'ce 2', 'ce 3'],
      ...['ib 2', 'ib 3'],
    ]);
    expect(whole.result.history[1]?.rate).toBeCloseTo(5, 6);
    const again = temporaryFolder();
    const cut = await run(again, { ...options, ...interruptAfter(7) });
    expect(cut.result.interrupted).toBe(true);
    const resumed = await run(again, { ...options, mode: 'resume' });
    expect(resumed.bytes?.equals(whole.bytes ?? Buffer.alloc(0))).toBe(true);
  });

  it('of data with Infinity names the input', async () => {
    const source = await openData(join(DIGITS, 'train.npz'));
    const columns: Record<string, Tensor> = {};
    for (const [name, column] of source.columns) columns[name] = await column.read(0, column.dims[0] ?? 0);
    source.close();
    const images = columns.images?.data as Float32Array;
    images[64 * 5 + 3] = Number.POSITIVE_INFINITY;
    const data: Dataset = fromTensors(columns);
    await expect(run(temporaryFolder(), { data, loss: 'ce', validation: 0.1, seed: 1 })).rejects.toThrow(
      /the input "images" holds Infinity in row 5;/,
    );
  });
});

describe('alpha: auto', () => {
  it('is Σ ce / Σ(ce · f) over the training data, f at α = 1', async () => {
    const validation = await openData(join(DIGITS, 'test.npz'));
    const { result } = await run(temporaryFolder(), { alpha: 'auto', epochs: 1, validation, augmentation: {} });
    validation.close();
    const graft = { classCounts: result.classCounts, classWeights: 'inverse' } as const;
    const ce = await perSample({ loss: 'ce', ...graft });
    const ib = await perSample({ loss: 'ib', alpha: 1, ...graft });
    const sum = (values: Float32Array | undefined): number => (values ?? new Float32Array()).reduce((a, b) => a + b, 0);
    const expected = sum(ce.loss_per_sample) / sum(ib.loss_per_sample);
    expect((result.arms[0]?.alpha ?? 0) / expected).toBeCloseTo(1, 5);
  });
});

async function perSample(options: Parameters<typeof augment>[1]): Promise<Readonly<Record<string, Float32Array>>> {
  const model = await open(MODEL);
  const bytes = (await augment(model, options)).bytes();
  model.close();
  const data = await openData(join(DIGITS, 'train.npz'));
  const { perSample: found } = await runAugmented(bytes, data);
  data.close();
  return found;
}

describe('options', () => {
  const refused = (options: Partial<TrainOptions>): Promise<unknown> => run(temporaryFolder(), options);
  it('are refused by name where they make no sense', async () => {
    // @ts-expect-error the name of a loss
    await expect(refused({ loss: 'ip' })).rejects.toThrow(/option loss.*Did you mean ib/);
    await expect(refused({ loss: 'ce', alpha: 'auto' })).rejects.toThrow(/option alpha/);
    // @ts-expect-error the name of an option
    await expect(refused({ momentun: 0.8 })).rejects.toThrow(/option momentun/);
    await expect(refused({ compare: ['ib'] })).rejects.toThrow(/ib more than once/);
    await expect(refused({ batchSize: 0 })).rejects.toThrow(/option batchSize/);
    await expect(refused({ milestones: [1], schedule: 'cosine' })).rejects.toThrow(/option milestones/);
    await expect(refused({ imbalance: 1000 })).rejects.toThrow(/option imbalance.*class \d would have none/);
  });
});
