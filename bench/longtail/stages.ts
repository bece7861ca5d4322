import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeOrder } from './order.ts';
import { type ReferenceArm, type Run, runsOf, type Setup } from './works.ts';

const REFERENCE = fileURLToPath(new URL('reference.py', import.meta.url));
const MAIN = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));

/** Trains from the command line, for every seed. */
export async function ours(setup: Setup): Promise<void> {
  for (const seed of setup.seeds) {
    for (const run of runsOf(setup.work)) {
      const result = join(setup.out, `${setup.name}-${run.name}-${seed}.json`);
      if (existsSync(result)) continue;
      const args = ['--import', 'tsx', MAIN, 'train', ...trainArgs(setup, run, seed)];
      console.log(`lossgraft ${args.slice(3).join(' ')}`);
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
      if (status !== 0) throw new Error(stderr);
      writeFileSync(result, stdout);
    }
  }
}

function trainArgs(setup: Setup, run: Run, seed: number): string[] {
  const { work, out, name, data } = setup;
  const { epochs, ibFrom, rate, factor, momentum, weightDecay, batch } = work.schedule;
  const schedule = { epochs, 'ib-from': ibFrom, 'learning-rate': rate, 'ib-rate-factor': factor };
  const optimizer = { momentum, 'weight-decay': weightDecay, 'batch-size': batch, seed };
  return [
    modelOf(setup, seed),
    ...work.data(data),
    ...['-o', join(out, `${name}-${run.name}-${seed}.onnx`), '--force', '--json', '--select', 'last'],
    ...Object.entries({ ...schedule, ...optimizer }).flatMap(([key, value]) => [`--${key}`, String(value)]),
    ...run.options,
  ];
}

/** The initial weights of a seed, by PyTorch. */
export function modelOf({ out, name, python }: Setup, seed: number): string {
  mkdirSync(out, { recursive: true });
  const path = join(out, `${name}-${seed}.onnx`);
  if (!existsSync(path)) execFileSync(python, [REFERENCE, 'export', name, String(seed), path]);
  return path;
}

/** Trains with PyTorch from the same weights, in the same order. */
export async function reference(setup: Setup): Promise<void> {
  for (const seed of setup.seeds) {
    const result = join(setup.out, `${setup.name}-pytorch-${seed}.jsonl`);
    if (existsSync(result)) continue;
    writeFileSync(
      result,
      await pytorch(
        setup,
        seed,
        runsOf(setup.work).flatMap(({ arms }) => arms),
        {},
      ),
    );
  }
}

/** One run of reference.py: a line of JSON for every epoch. */
export async function pytorch(
  setup: Setup,
  seed: number,
  arms: readonly ReferenceArm[],
  more: Readonly<Record<string, unknown>>,
): Promise<string> {
  const { work, out, name, python, data, threads } = setup;
  const { scale, schedule } = work;
  const order = join(out, `${name}-order-${seed}.npz`);
  if (!existsSync(order)) await writeOrder(order, setup, { seed, epochs: schedule.epochs });
  const titled = arms.map((arm) => ({ ...arm, name: arm.title }));
  const config = { work: name, data, order, model: modelOf(setup, seed), threads, ...scale, ...schedule, ...more };
  const path = join(out, `${name}-config.json`);
  writeFileSync(path, JSON.stringify({ ...config, arms: titled }));
  return execFileSync(python, [REFERENCE, 'train', path], { encoding: 'utf8', maxBuffer: 2 ** 28 });
}
