import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LossWithWeights, open, openData, type TrainOptions, train } from '../../src/index.ts';
import { modelOf, pytorch } from './stages.ts';
import { openOptions, type Run, runsOf, type Setup } from './works.ts';

const STEPS = 100;

type Losses = Map<string, number[]>;

/** The first steps of training, and of every loss from the switch on, beside PyTorch's from the same state in the same order. */
export async function curves(setup: Setup): Promise<void> {
  const [seed = 0] = setup.seeds;
  const rows: unknown[] = [];
  for (const [i, run] of runsOf(setup.work).entries()) {
    const { losses, state } = await stepByStep(setup, run, seed);
    const start = await pytorch(setup, seed, run.arms.slice(0, 1), { steps: STEPS });
    const begun = await pytorch(setup, seed, run.arms, { steps: STEPS, state });
    if (i === 0) rows.push(compare('first phase', losses.get('first') ?? [], start));
    const lines = begun.trim().split('\n');
    for (const [k, { name, title }] of run.arms.entries()) {
      rows.push(compare(title, losses.get(name) ?? [], lines[k] ?? '{}'));
    }
  }
  console.table(rows);
  writeFileSync(join(setup.out, `${setup.name}-curves.json`), JSON.stringify(rows));
}

function compare(what: string, ours: readonly number[], line: string) {
  const theirs: number[] = JSON.parse(line).losses;
  const apart = theirs.map((loss, i) => Math.abs(loss - (ours[i] ?? Number.NaN)));
  return {
    what,
    steps: theirs.length,
    'loss at first': theirs[0]?.toPrecision(5),
    'at last': theirs.at(-1)?.toPrecision(5),
    'largest difference': Math.max(...apart).toExponential(1),
  };
}

/** Every step's loss of the first epoch, and of each arm's first epoch after the switch; and the state at the switch. */
async function stepByStep(setup: Setup, run: Run, seed: number): Promise<{ losses: Losses; state: string }> {
  const { work, data: folder, out, name } = setup;
  const { ibFrom, rate, factor, momentum, weightDecay, batch } = work.schedule;
  const of = openOptions(work);
  const data = await openData(work.train(folder), of);
  const test = await openData(work.test(folder), { ...of, otherwiseSplit: 'test' });
  const losses: Losses = new Map();
  const stop = new AbortController();
  const options: TrainOptions = {
    data,
    validation: test,
    folder: join(out, `${name}-curves.run`),
    loss: 'ib',
    alpha: work.alpha,
    compare: run.arms.slice(1).map((arm) => arm.name as LossWithWeights),
    ...(run.arms[0]?.detachFactor ? { detachFactor: true } : {}),
    ...(work.imbalance === undefined ? {} : { imbalance: work.imbalance }),
    ...{ epochs: ibFrom + 1, ibFrom, learningRate: rate, ibRateFactor: factor, momentum, weightDecay },
    ...{ batchSize: batch, seed, stepsPerRun: 1, select: 'last' },
    onEpoch: ({ epoch }) => (epoch === ibFrom ? stop.abort() : undefined),
    onProgress: ({ arm, epoch, loss }) => {
      const key = epoch === 1 ? 'first' : epoch === ibFrom + 1 ? arm : '';
      losses.set(key, [...(losses.get(key) ?? []), loss]);
    },
  };
  const model = await open(modelOf(setup, seed));
  await train(model, { ...options, mode: 'replace', signal: stop.signal });
  const state = join(out, `${name}-switch.safetensors`);
  const { file } = JSON.parse(readFileSync(join(options.folder, 'checkpoint.json'), 'utf8'));
  copyFileSync(join(options.folder, file), state);
  await train(model, { ...options, mode: 'resume' });
  model.close();
  for (const opened of [data, test]) opened.close();
  rmSync(options.folder, { recursive: true });
  return { losses, state };
}
