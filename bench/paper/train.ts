import { appendFileSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { open, openData, type TrainOptions, type TrainResult, train } from '../../src/index.ts';
import { ibCifar } from '../../src/records/schedule.ts';
import { modelOf, monitorOf, type Setup, tailOf } from './setup.ts';

const PIXELS = { mean: [0.4914, 0.4822, 0.4465], std: [0.2023, 0.1994, 0.201] };
const { ibFrom } = ibCifar().schedule;

/** Trains IB and IB-Focal, then cross-entropy from the state in which they parted, and prints the table. */
export async function trainAll(setup: Setup): Promise<void> {
  mkdirSync(setup.out, { recursive: true });
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.abort());
  const ib = await run(setup, 'ib', stop.signal, { loss: 'ib', compare: ['ib-focal'] });
  if (ib.interrupted) return console.log('interrupted: the same command goes on');
  const ce = { loss: 'ce', ibFrom: 0 } as const;
  if (!existsSync(join(setup.out, 'ce.run'))) {
    await run(setup, 'ce', AbortSignal.abort(), ce);
    beginAtSwitch(setup);
  }
  const last = await run(setup, 'ce', stop.signal, ce);
  if (last.interrupted) return console.log('interrupted: the same command goes on');
  console.table(
    [...ib.arms, ...last.arms].map(({ name, last: { epoch }, test }) => ({ name, epoch, accuracy: test?.accuracy })),
  );
}

async function run(
  setup: Setup,
  name: string,
  signal: AbortSignal,
  options: Partial<TrainOptions>,
): Promise<TrainResult> {
  const { data, out, seed, threads } = setup;
  const folder = join(out, `${name}.run`);
  const of = { ...PIXELS };
  const parts = [await tailOf(setup), monitorOf(setup), join(data, 'test')];
  const [own, monitor, test] = await Promise.all(parts.map((path) => openData(path, of)));
  if (!own || !monitor || !test) throw new Error('no data');
  const model = await open(modelOf(setup));
  let before = performance.now();
  try {
    return await train(model, {
      ...{ data: own, validation: monitor, test, folder, seed, threads, signal },
      ...{ recipe: 'ib-cifar', trainable: 'all', batchNorm: 'train', select: 'last', stepsPerRun: 1 },
      ...options,
      mode: existsSync(join(folder, 'checkpoint.json')) ? 'resume' : 'new',
      onProgress: ({ arm, epoch, step, loss, rate }) => {
        const now = performance.now();
        const ms = Math.round(now - before);
        before = now;
        appendFileSync(join(out, `${name}-steps.jsonl`), `${JSON.stringify({ arm, epoch, step, loss, rate, ms })}\n`);
      },
      onEpoch: ({ arm, epoch, rate, trainLoss, accuracy, seconds }) => {
        console.log(new Date().toISOString(), JSON.stringify({ arm, epoch, rate, trainLoss, accuracy, seconds }));
        if (name === 'ib' && epoch === ibFrom + 1) keepSwitch(out, folder);
      },
    });
  } finally {
    model.close();
    for (const each of [own, monitor, test]) each.close();
  }
}

interface Kept {
  shared: string | null;
  epoch: number;
  file: string;
  history: { arm: string; epoch: number; phase: string }[];
}

const readCheckpoint = (folder: string): Kept => JSON.parse(readFileSync(join(folder, 'checkpoint.json'), 'utf8'));

/** The state in which the losses part: a finished run no longer has it. */
function keepSwitch(out: string, folder: string): void {
  const { shared } = readCheckpoint(folder);
  if (shared !== null) copyFileSync(join(folder, shared), join(out, 'switch.safetensors'));
}

/** Cross-entropy's run goes on from there: up to the switch it has the same steps. */
function beginAtSwitch({ out }: Setup): void {
  const folder = join(out, 'ce.run');
  const { history } = readCheckpoint(join(out, 'ib.run'));
  const file = 'state-1000000.safetensors';
  copyFileSync(join(out, 'switch.safetensors'), join(folder, file));
  const shared = history.filter(({ epoch, phase }) => epoch <= ibFrom && phase !== 'loss');
  const own = shared.map((record) => ({ ...record, arm: 'ce', phase: record.epoch === 0 ? 'before' : 'loss' }));
  const checkpoint = { ...readCheckpoint(folder), epoch: ibFrom, step: 0, file, history: own };
  writeFileSync(join(folder, 'checkpoint.json'), JSON.stringify(checkpoint));
}
