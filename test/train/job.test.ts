import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drawAugmentation } from '../../src/data/augmentation.ts';
import {
  collectJob,
  type Dataset,
  decodeNpy,
  exportJob,
  open,
  openData,
  type TrainOptions,
  train,
} from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { JobPlan } from '../../src/train/job/planFile.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';
import { runJob } from '../support/jobRunner.ts';
import { weightsIn } from '../support/trainedFile.ts';

const MODEL = join(ROOT, 'fixtures/digits/model.onnx');
const DATA = join(ROOT, 'fixtures/digits/train.npz');
const common = { loss: 'ib', ibFrom: 1, epochs: 2, batchSize: 37, trainable: 'all', lower: 'off', seed: 5 } as const;

type Own = Partial<TrainOptions>;

async function withDigits<T>(use: (given: (folder: string, own?: Own) => TrainOptions) => Promise<T>): Promise<T> {
  const data = await openData(DATA);
  try {
    return await use((folder, own = {}) => ({ ...common, data, folder, ...own }) as TrainOptions);
  } finally {
    data.close();
  }
}

const planIn = (job: string): JobPlan => JSON.parse(readFileSync(join(job, 'plan.json'), 'utf8'));
const arrayIn = async (job: string, name: string): Promise<number[]> =>
  toNumbers(await decodeNpy(readFileSync(join(job, name))));

describe('a job', () => {
  it('ends as a training in one process does: metrics, report and the written model', async () => {
    const folder = temporaryFolder();
    const [job, tuned, local] = ['job', 'tuned.onnx', 'local.onnx'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    await withDigits(async (given) => {
      const model = await open(MODEL);
      const written = await exportJob(model, given(job));
      expect(written).toMatchObject({ arm: 'ib', epochs: 2, stepsPerEpoch: 9, batchSize: 37, samples: 333 });
      await runJob(job, 3);
      const collected = await collectJob(model, given(job));
      await collected.write(tuned, { anyway: true });
      const here = await train(model, given(join(folder, 'run')));
      await here.write(local, { anyway: true });
      model.close();
      expect(collected.history.map(({ epoch, phase, rate }) => [epoch, phase, rate])).toEqual(
        here.history.map(({ epoch, phase, rate }) => [epoch, phase, rate]),
      );
      for (const [i, record] of here.history.entries()) {
        expect(collected.history[i]?.validationLoss).toBeCloseTo(record.validationLoss, 5);
        if (record.trainLoss !== null)
          expect((collected.history[i]?.trainLoss ?? 0) / record.trainLoss).toBeCloseTo(1, 5);
      }
      expect(collected.decision?.why).toBe(here.decision?.why);
    });
    expect(readFileSync(join(job, 'run/metrics.jsonl'), 'utf8').split('\n')).toHaveLength(4);
    expect(existsSync(join(job, 'run/report.html'))).toBe(true);
    const models = await Promise.all([open(tuned), open(local)]);
    const [own, expected] = models.map(weightsIn) as [ReturnType<typeof weightsIn>, ReturnType<typeof weightsIn>];
    for (const model of models) model.close();
    expect([...own.keys()]).toEqual([...expected.keys()]);
    for (const [name, values] of expected) {
      const scale = Math.max(...values.map(Math.abs));
      for (const [i, value] of values.entries())
        expect(Math.abs((own.get(name)?.[i] ?? Number.NaN) - value)).toBeLessThan(1e-6 * scale);
    }
  });

  it('has the draws of crops and flips that a training in one process makes', async () => {
    const job = join(temporaryFolder(), 'job');
    await withDigits(async (given) => {
      const model = await open(MODEL);
      const moved = { padding: 2, flip: true };
      await exportJob(model, given(job, { augmentation: moved, validation: 0.5 }));
      model.close();
      const plan = planIn(job);
      expect(plan.augmentation).toEqual({ input: 'images', padding: 2, black: [] });
      const { samples, labels } = await rowsOf(given(job).data);
      const stored = await openData(join(job, 'data'));
      const images = await stored.columns.get('images')?.read(0, plan.samples);
      const size = 64;
      for (const [epoch, { order, draws }] of plan.epochs.entries()) {
        const [places, drawn] = [await arrayIn(job, order), await arrayIn(job, draws ?? '')];
        expect(places).toHaveLength(plan.samples);
        expect(new Set(places).size).toBe(plan.samples);
        for (const [i, place] of places.entries()) {
          // The row of the data that the place holds.
          const row = samples.indexOf(String(images?.data.slice(place * size, (place + 1) * size)));
          const { top, left, flipped } = drawAugmentation(moved, common.seed, epoch, row);
          expect(drawn.slice(3 * i, 3 * i + 3)).toEqual([top, left, Number(flipped)]);
        }
      }
      expect(labels.length).toBeGreaterThan(plan.samples);
      stored.close();
    });
  });

  it.each<readonly [string, Own, RegExp]>([
    ['several losses', { compare: ['ce'] }, /one loss, found 2: ib, ce/],
    ['several seeds', { seeds: 2 }, /one seed/],
    ['folds', { folds: 3, select: 'last' }, /`folds: 1`/],
    ['a second training', { refit: true, select: 'last' }, /trains twice/],
    ['an alpha that is found', { alpha: 'auto' } as Own, /`alpha: "auto"`/],
    ['mixed samples', { loss: 'ce', augmentation: { mixup: 0.2 } } as Own, /mixed samples/],
    ['half precision', { precision: 'mixed' }, /`precision: "mixed"`/],
    ['a cache', { cacheFeatures: 'on', trainable: 'head' }, /no cache/],
    ['a fresh head', { freshHead: true } as Own, /lossgraft rehead/],
  ])('refuses %s before anything is written', async (_, own, message) => {
    const folder = temporaryFolder();
    await withDigits(async (given) => {
      const model = await open(MODEL);
      await expect(exportJob(model, given(join(folder, 'job'), own))).rejects.toThrow(message);
      model.close();
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is collected only if it is finished, and as it was exported', async () => {
    const job = join(temporaryFolder(), 'job');
    const other = await openData(join(ROOT, 'fixtures/digits/more.npz'));
    await withDigits(async (given) => {
      const model = await open(MODEL);
      await exportJob(model, given(job));
      await expect(collectJob(model, given(job))).rejects.toThrow(/2 finished epochs, found 0/);
      await expect(exportJob(model, given(job))).rejects.toThrow(/found a job/);
      await runJob(job, 1, 1);
      await expect(collectJob(model, given(job))).rejects.toThrow(/found 1\. Start the runner again/);
      await exportJob(model, given(job, { mode: 'replace' }));
      await runJob(job, 1);
      await expect(collectJob(model, given(job, { seed: 6 }))).rejects.toThrow(/seed as exported: 5, found 6/);
      await expect(collectJob(model, given(job, { data: other }))).rejects.toThrow(
        /the data of data that were exported/,
      );
      const plan = join(job, 'plan.json');
      writeFileSync(plan, `${readFileSync(plan, 'utf8')}\n`);
      await expect(collectJob(model, given(job))).rejects.toThrow(/checkpoints of this plan/);
      mkdirSync(join(job, '../none'));
      await expect(collectJob(model, given(join(job, '../none')))).rejects.toThrow(/plan\.json/);
      model.close();
    });
    other.close();
  });

  it('is exported and collected on the command line', async () => {
    const folder = temporaryFolder();
    const [job, tuned] = [join(folder, 'job'), join(folder, 'tuned.onnx')];
    const own = ['--data', DATA, '--loss', 'ce', '--epochs', '1', '--trainable', 'all', '-o', job];
    const exported = await lossgraft(['export-job', MODEL, ...own]);
    expect(exported.code, exported.stderr).toBe(0);
    expect(exported.stdout).toMatch(/1 epochs? of \d+ steps/);
    expect(readdirSync(job).sort()).toEqual([
      'README.md',
      'data',
      'epochs',
      'graphs',
      'plan.json',
      'requirements.txt',
      'run',
      'runner',
      'state.safetensors',
    ]);
    expect(readdirSync(join(job, 'runner/src/lossgraft_runner'))).toContain('walk.py');
    const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const runtime = `onnxruntime==${dependencies['onnxruntime-node']}\n`;
    expect(readFileSync(join(job, 'requirements.txt'), 'utf8')).toContain(runtime);
    expect(readFileSync(join(ROOT, '.ci/requirements.txt'), 'utf8')).toContain(runtime);
    await runJob(job, 2);
    const collected = await lossgraft(['collect', job, '-o', tuned, '--write-anyway']);
    expect(collected.code, collected.stderr).toBe(0);
    expect(collected.stdout).toContain(`written ${tuned}`);
    const again = await lossgraft(['collect', job, '-o', tuned, '--write-anyway']);
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('--force');
  });
});

/** The images of all rows as texts, to find a row by what it holds. */
async function rowsOf(data: Dataset): Promise<{ samples: string[]; labels: number[] }> {
  const column = data.columns.get('images');
  const size = column?.dims[0] ?? 0;
  const all = await column?.read(0, size);
  const each = (all?.data.length ?? 0) / size;
  const samples = Array.from({ length: size }, (_, i) => String(all?.data.slice(i * each, (i + 1) * each)));
  const labels = await data.columns.get('labels')?.read(0, size);
  return { samples, labels: labels ? toNumbers(labels) : [] };
}
