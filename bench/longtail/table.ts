import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainResult } from '../../src/index.ts';
import { deviationOf, meanOf } from './statistics.ts';
import { runsOf, type Setup } from './works.ts';

/** Balanced accuracy on the test data in percent, by loss and seed: lossgraft's, PyTorch's, and how far apart they are. */
export async function table(setup: Setup): Promise<void> {
  const rows = runsOf(setup.work).flatMap((run) =>
    run.arms.map(({ name, title }) => {
      const own = setup.seeds.map((seed) => ofLossgraft(setup, run.name, seed, name));
      const torch = setup.seeds.map((seed) => ofPyTorch(setup, seed, title));
      return {
        loss: title,
        ours: own.map((value) => value.toFixed(2)).join(' '),
        mean: spread(own),
        PyTorch: torch.map((value) => value.toFixed(2)).join(' '),
        'its mean': spread(torch),
        apart: (meanOf(own) - meanOf(torch)).toFixed(2),
      };
    }),
  );
  console.table(rows);
}

function spread(values: readonly number[]): string {
  return `${meanOf(values).toFixed(2)} ± ${deviationOf(values).toFixed(2)}`;
}

function ofLossgraft({ out, name }: Setup, run: string, seed: number, arm: string): number {
  const { arms }: TrainResult = JSON.parse(readFileSync(join(out, `${name}-${run}-${seed}.json`), 'utf8'));
  return 100 * (arms.find((found) => found.name === arm)?.test?.balancedAccuracy ?? Number.NaN);
}

function ofPyTorch({ out, name }: Setup, seed: number, title: string): number {
  const lines = readFileSync(join(out, `${name}-pytorch-${seed}.jsonl`), 'utf8')
    .trim()
    .split('\n');
  const records = lines.map((line): { arm: string; balanced: number } => JSON.parse(line));
  return 100 * (records.filter(({ arm }) => arm === title).at(-1)?.balanced ?? Number.NaN);
}
