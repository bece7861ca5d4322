import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { arraysOf } from '../support/networks.ts';
import { findTrajectories, type Trajectory, walk } from '../support/trajectories.ts';

/** Relative to the largest entry of the tensor: the first step, and later ones, where rounding has gone round. */
const BOUNDS: Readonly<Record<string, number>> = { step1: 1e-5, step10: 1e-4, step100: 1e-4 };

describe.each(findTrajectories().map((trajectory) => [trajectory.name, trajectory] as const))('%s', (_, trajectory) => {
  test.each(['step', 'loop', 'split'] as const)('as PyTorch, in the form %s', async (form) => {
    const expected = await arraysOf(join(trajectory.folder, `${trajectory.name}.npz`));
    const { losses, reached } = await walk(trajectory, form, milestones(trajectory));
    const { losses: expectedLosses, ...states } = expected;
    expect(worst(losses, expectedLosses), 'losses').toBeLessThan(1e-4);
    expect(Object.keys(states).length).toBeGreaterThan(4);
    for (const [key, tensor] of Object.entries(states)) {
      const [milestone = '', name = ''] = split(key);
      const actual = reached[Number(milestone.replace('step', ''))]?.[name];
      expect(worst(actual ? toNumbers(actual) : [], tensor), key).toBeLessThan(BOUNDS[milestone] ?? 0);
    }
  });
});

function milestones({ steps }: Trajectory): number[] {
  return [1, 10, 100].filter((step) => step <= steps);
}

/** `step10/head.weight` */
function split(key: string): [string, string] {
  const at = key.indexOf('/');
  return [key.slice(0, at), key.slice(at + 1)];
}

function worst(actual: readonly number[], expected: Tensor | undefined): number {
  const numbers = expected ? toNumbers(expected) : [];
  if (actual.length !== numbers.length) return Number.POSITIVE_INFINITY;
  const scale = Math.max(Number.MIN_VALUE, ...numbers.map(Math.abs));
  return Math.max(...numbers.map((value, i) => Math.abs(value - (actual[i] ?? Number.NaN)))) / scale;
}
