/**
 * A training step against PyTorch eager: cross entropy, SGD with momentum 0.9, the same threads, in turns; medians and peak memory
 * above the import. Exit 1 where a ratio is above its limit.
 *
 *   npx tsx bench/train.ts --python PYTHON [--works mlp,resnet32] [--threads 2] [--rounds 12] [--form step|loop] [--lower auto|off] [--batch N] [--models FOLDER]
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { blocked, expansions, gradients, losses, optimizers } from '../graphs/index.ts';
import { type Model, open } from '../src/index.ts';
import { type LowerMode, machineLowering } from '../src/lower/machine.ts';
import { openSession, runtimeVersion, type Session } from '../src/runtime/session.ts';
import type { Tensor } from '../src/tensor.ts';
import { type TrainGraph, trainGraph } from '../src/train/index.ts';
import { TRAINING_SESSION } from '../src/train/sessionOptions.ts';
import { timeEpochs } from './trainEpochs.ts';
import { type Timing, WORKS, type Work } from './trainWorks.ts';

const MEMORY_LIMIT = 1.5;
/** Steps in one run of the Loop form. */
const STEPS = 10;

const { values: options } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    works: { type: 'string', default: Object.keys(WORKS).join(',') },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '12' },
    form: { type: 'string', default: 'step' },
    models: { type: 'string', default: join(tmpdir(), 'lossgraft-bench-models') },
    lower: { type: 'string', default: 'auto' },
    batch: { type: 'string' },
    child: { type: 'string' },
  },
});

if (options.child !== undefined) await child(options.child);
else await compareAll();

async function compareAll(): Promise<void> {
  const script = fileURLToPath(new URL('train_reference.py', import.meta.url));
  const models = new Set(options.works.split(',').map((name) => fileOf(name)));
  if ([...models].some((file) => !existsSync(file)))
    execFileSync(options.python, [script, 'export', options.models], { stdio: 'inherit' });
  const rows = options.works.split(',').map((name) => compare(name, script));
  console.log(
    `onnxruntime-node ${runtimeVersion}, ${options.threads} threads, form ${options.form}, lower ${options.lower}`,
  );
  console.table(rows.map(({ slow: _slow, ...row }) => row));
  process.exitCode = rows.some(({ slow }) => slow) ? 1 : 0;
}

function compare(name: string, script: string) {
  const work = workNamed(name);
  const ours: Timing[] = [];
  const torch: Timing[] = [];
  for (let turn = 0; turn < 2; turn++) {
    torch.push(
      lastLine(
        execFileSync(
          options.python,
          [script, 'time', name, options.threads, options.rounds, String(batchOf(work)), String(work.steps ?? 1)],
          { encoding: 'utf8' },
        ),
      ),
    );
    const args = ['--import', 'tsx', fileURLToPath(import.meta.url), '--child', name];
    for (const key of ['threads', 'rounds', 'form', 'models', 'lower'] as const) args.push(`--${key}`, options[key]);
    args.push('--batch', String(batchOf(work)));
    ours.push(lastLine(execFileSync(process.execPath, args, { encoding: 'utf8' })));
  }
  const [a, b] = [medianOf(ours), medianOf(torch)];
  const [memory, torchMemory] = [ours, torch].map((timings) => Math.max(...timings.map(({ rss }) => rss)) / 2 ** 20);
  const slow = a / b > work.limit || (memory ?? 0) > MEMORY_LIMIT * (torchMemory ?? 0);
  return {
    work: name,
    batch: batchOf(work),
    'ours ms': round(a),
    'PyTorch ms': round(b),
    ratio: round(a / b),
    limit: work.limit,
    'ours MiB': round(memory ?? 0),
    'PyTorch MiB': round(torchMemory ?? 0),
    slow,
  };
}

/** One process with our side alone: prints a {@link Timing}. */
async function child(name: string): Promise<void> {
  const work = workNamed(name);
  const model = await open(fileOf(name));
  if (work.way !== 'step')
    return console.log(
      JSON.stringify(await timeEpochs(model, work, batchOf(work), Number(options.rounds), lowerMode())),
    );
  const form = options.form === 'loop' ? 'loop' : 'step';
  const graph = await graphOf(model, work, form);
  const state = Object.fromEntries(graph.initialState());
  const data = dataOf(work, form === 'loop' ? STEPS : 0);
  const before = process.resourceUsage().maxRSS;
  const bytes = graph.bytes().get('step.onnx');
  if (!bytes) throw new Error('no step.onnx');
  const session = await openSession(bytes, {
    ...TRAINING_SESSION,
    threads: Number(options.threads),
    externalDataFolder: model.dir,
  });
  const ms = await timed(session, state, data, form === 'loop' ? STEPS : 0);
  console.log(JSON.stringify({ ms, rss: (process.resourceUsage().maxRSS - before) * 1024 }));
}

function lowerMode(): LowerMode {
  if (options.lower === 'auto' || options.lower === 'off') return options.lower;
  throw new Error(`--lower expects auto or off, and found ${options.lower}`);
}

/** As the trainer has it: in the forms of this machine's runtime. */
async function graphOf(model: Model, work: Work, form: 'step' | 'loop'): Promise<TrainGraph> {
  const { ce } = losses;
  const { sgd } = optimizers;
  if (!ce || !sgd) throw new Error('the catalogue has no ce or sgd');
  const calculus = { gradients, expansions, blocked };
  const { block } = lowerMode() === 'auto' ? await machineLowering(calculus) : { block: null };
  const graph = await trainGraph(model, {
    loss: ce,
    lossOptions: {},
    optimizer: sgd,
    optimizerOptions: { momentum: 0.9, weightDecay: 0, nesterov: false, dampening: 0 },
    trainable: work.trainable,
    batchNorm: work.batchNorm,
    form,
    calculus,
    ...(block === null ? {} : { lower: { block, batch: batchOf(work) } }),
  });
  if (block === null && lowerMode() === 'auto')
    console.error('plain forms: the blocked ones are not proved on this machine');
  return graph;
}

function dataOf(work: Work, steps: number): Record<string, Tensor> {
  const lead = steps === 0 ? [] : [steps];
  const batch = batchOf(work);
  const shape = [batch, ...work.shape.slice(1)];
  const count = Math.max(1, steps);
  const size = count * shape.reduce((n, d) => n * d, 1);
  const x = new Float32Array(size);
  for (let i = 0; i < size; i++) x[i] = Math.sin(i);
  const labels = new BigInt64Array(count * batch);
  for (let i = 0; i < labels.length; i++) labels[i] = BigInt(i % work.classes);
  return {
    x: { dtype: 'float32', dims: [...lead, ...shape], data: x },
    labels: { dtype: 'int64', dims: [...lead, batch], data: labels },
    learning_rate: { dtype: 'float32', dims: lead, data: new Float32Array(count).fill(0.01) },
  };
}

async function timed(
  session: Session,
  start: Record<string, Tensor>,
  data: Record<string, Tensor>,
  steps: number,
): Promise<number[]> {
  const count = Math.max(1, steps);
  let state = start;
  const ms: number[] = [];
  for (let run = 0; run * count < Number(options.rounds); run++) {
    const begin = performance.now();
    const results = await session.run({ ...state, ...data });
    ms.push((performance.now() - begin) / count);
    state = Object.fromEntries(Object.keys(state).map((key) => [key, results[`${key}.next`] as Tensor]));
  }
  return steps === 0 ? ms.slice(2) : ms.slice(Math.min(1, ms.length - 1));
}

function batchOf(work: Work): number {
  return options.batch === undefined ? (work.shape[0] ?? 1) : Number(options.batch);
}

function fileOf(name: string): string {
  return join(options.models, `${workNamed(name).model ?? name}.onnx`);
}

function workNamed(name: string): Work {
  const work = WORKS[name];
  if (work) return work;
  throw new Error(`--works expects ${Object.keys(WORKS).join(', ')}, and found ${name}`);
}

function lastLine(text: string): Timing {
  return JSON.parse(text.trim().split('\n').at(-1) ?? '');
}

function medianOf(timings: readonly Timing[]): number {
  const sorted = timings.flatMap(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
