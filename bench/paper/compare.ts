import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawAugmentation } from '../../src/data/augmentation.ts';
import { epochOrder } from '../../src/data/sampler.ts';
import { labelsOf } from '../../src/data/split.ts';
import { openData, type Tensor, writeNpz } from '../../src/index.ts';
import { ibCifar } from '../../src/records/schedule.ts';
import { modelOf, REFERENCE, type Setup, tailOf } from './setup.ts';

const { schedule, batchSize, augmentation } = ibCifar();
const SHOWN = [20, 40, 60, 100, 150, 200, 250, 300];

interface Step {
  readonly epoch: number;
  readonly step: number;
  readonly loss: number;
  readonly rate: number;
}

/** The first steps of the run beside PyTorch's, and beside them PyTorch with another number of threads: how far rounding alone leads. */
export async function compare(setup: Setup, count: number): Promise<void> {
  const ours = stepsOf(setup).slice(0, count);
  const order = join(setup.out, `order-${setup.seed}-${ours.length}.npz`);
  await writeOrder(setup, order, ours);
  const common = { model: modelOf(setup), images: await tailOf(setup), order, rates: ours.map(({ rate }) => rate) };
  const [one, two] = [1, 2].map((threads) =>
    pytorch(setup, `threads${threads}-${ours.length}`, { ...common, threads }),
  );
  if (!one || !two) return;
  const losses = ours.map(({ loss }) => loss);
  console.table(
    SHOWN.filter((steps) => steps <= ours.length).map((steps) => ({
      steps,
      'lossgraft, PyTorch with 1 thread': apart(losses, one, steps),
      'with 2': apart(losses, two, steps),
      'PyTorch with 1, with 2': apart(one, two, steps),
      'mean loss of the last 20: lossgraft': mean(losses, steps),
      'PyTorch with 1': mean(one, steps),
      'with 2 threads': mean(two, steps),
    })),
  );
}

/** Of the first phase, each step once: a run that was interrupted takes some of them again. */
function stepsOf({ out }: Setup): Step[] {
  const lines = readFileSync(join(out, 'ib-steps.jsonl'), 'utf8').trim().split('\n');
  const steps = lines.map((line): Step => JSON.parse(line)).filter(({ epoch }) => epoch <= schedule.ibFrom);
  return [...new Map(steps.map((step) => [`${step.epoch} ${step.step}`, step])).values()];
}

/** The rows of every step and what happens to their images. */
async function writeOrder(setup: Setup, path: string, steps: readonly Step[]): Promise<void> {
  if (existsSync(path)) return;
  const { seed } = setup;
  const data = await openData(await tailOf(setup));
  const rows = Uint32Array.from(await labelsOf(data), (_, row) => row);
  data.close();
  const arrays = steps.flatMap(({ epoch, step }, i): [string, Tensor][] => {
    const start = batchSize * (step - 1);
    const own = epochOrder(rows, seed, epoch - 1).slice(start, start + batchSize);
    const draws = Array.from(own, (row) => drawAugmentation(augmentation, seed, epoch - 1, row));
    const flat = Uint32Array.from(draws.flatMap(({ top, left, flipped }) => [top, left, Number(flipped)]));
    return [
      [`rows${i}`, { dtype: 'uint32', dims: [own.length], data: own }],
      [`draws${i}`, { dtype: 'uint32', dims: [own.length, 3], data: flat }],
    ];
  });
  await writeNpz(path, Object.fromEntries(arrays));
}

/** PyTorch's losses; what was computed once is kept. */
function pytorch({ out, python }: Setup, name: string, config: Readonly<Record<string, unknown>>): number[] {
  const result = join(out, `pytorch-${name}.json`);
  if (!existsSync(result)) {
    const path = join(out, `pytorch-${name}-config.json`);
    writeFileSync(path, JSON.stringify(config));
    writeFileSync(result, execFileSync(python, [REFERENCE, 'steps', path], { encoding: 'utf8' }));
  }
  return JSON.parse(readFileSync(result, 'utf8'));
}

function apart(a: readonly number[], b: readonly number[], steps: number): string {
  return Math.max(...a.slice(0, steps).map((loss, i) => Math.abs(loss - (b[i] ?? Number.NaN)))).toExponential(1);
}

function mean(losses: readonly number[], steps: number): string {
  return (losses.slice(steps - 20, steps).reduce((sum, loss) => sum + loss, 0) / 20).toFixed(4);
}
