import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { arraysOf } from '../support/networks.ts';
import { findTrajectories, type Trajectory, walk } from '../support/trajectories.ts';
import { zooFolder } from './zoo.ts';

/** Relative to the largest entry of a tensor. */
const BOUNDS: Readonly<Record<string, number>> = { step1: 1e-5, step10: 1e-4, step100: 1e-4 };
/** float32 training is chaotic: a few times what PyTorch's own float32 is off by, with one thread and with two, counts as the same. */
const OWN_ERRORS = 4;

/** The largest errors of all tensors of a kind: a Relu's kink strikes now this one, now that. */
interface Row {
  ours: number;
  PyTorch: number;
  bound: number;
}

function kindOf(state: string): string {
  if (/\.(momentum|exp_avg|exp_avg_sq|step)$/.test(state)) return 'slots';
  return /\.running_(mean|var)$/.test(state) ? 'statistics' : 'parameters';
}

const folder = join(zooFolder(), 'trajectories');

describe.each(findTrajectories(folder).map((found) => [found.name, found] as const))(
  'ResNet-32, %s',
  (name, trajectory) => {
    test.each(['step', 'loop', 'split'] as const)('as PyTorch, in the form %s', async (form) => {
      const { losses: _losses, ...expected } = await arraysOf(join(folder, `${name}.npz`));
      const own = await ownRuns(trajectory);
      const options = { ...trajectory.options, batchNorm: 'train' } as const;
      const { reached } = await walk({ ...trajectory, options }, form, milestones(trajectory));
      const rows: Record<string, Row> = {};
      for (const [key, tensor] of Object.entries(expected)) {
        const [milestone = '', state = ''] = splitKey(key);
        const kind = `${milestone} ${kindOf(state)}`;
        const row = rows[kind] ?? { ours: 0, PyTorch: 0, bound: BOUNDS[milestone] ?? 0 };
        rows[kind] = row;
        row.ours = Math.max(row.ours, worst(reached[Number(milestone.replace('step', ''))]?.[state], tensor));
        row.PyTorch = Math.max(row.PyTorch, ...own.map((run) => worst(run[key], tensor)));
        row.bound = Math.max(row.bound, OWN_ERRORS * row.PyTorch);
      }
      console.table(rows);
      for (const [milestone, { ours, bound }] of Object.entries(rows))
        expect(ours, milestone).toBeLessThanOrEqual(bound);
    });
  },
);

/** PyTorch's float32 on the same batches. */
async function ownRuns({ name }: Trajectory): Promise<Record<string, Tensor>[]> {
  const files = ['float32', 'float32-2-threads'].map((run) => join(folder, `${name}.${run}.npz`));
  return Promise.all(files.filter((file) => existsSync(file)).map(arraysOf));
}

function milestones({ steps }: Trajectory): number[] {
  return [1, 10, 100].filter((step) => step <= steps);
}

function splitKey(key: string): [string, string] {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
}

function worst(actual: Tensor | undefined, expected: Tensor): number {
  if (!actual || actual.data.length !== expected.data.length) return Number.POSITIVE_INFINITY;
  const numbers = toNumbers(expected);
  const found = toNumbers(actual);
  let [scale, difference] = [Number.MIN_VALUE, 0];
  for (const [i, value] of numbers.entries()) {
    const other = Math.abs(value - (found[i] ?? Number.NaN));
    if (Number.isNaN(other)) return Number.POSITIVE_INFINITY;
    scale = Math.max(scale, Math.abs(value));
    difference = Math.max(difference, other);
  }
  return difference / scale;
}
