import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { losses, validate } from '../../src/index.ts';

const CASES = join(import.meta.dirname, '../../fixtures/cases');
const MORE = join(CASES, 'more');
const MULTI_LABEL = join(CASES, 'multi-label');

/** The losses that the cases of a folder are of. */
function lossesOf(folder: string): string[] {
  const cases = readdirSync(folder).filter((name) => !name.startsWith('_'));
  return cases.map((name) => JSON.parse(readFileSync(join(folder, name, 'case.json'), 'utf8')).augment.loss);
}

it("the other losses and their gradients are PyTorch's and mpmath's", async () => {
  const { cases } = await validate([MORE]);
  const failed = cases.filter(({ verdict }) => verdict !== 'pass');
  const outputs = (name: string): number =>
    cases.flatMap((r) => r.outputs.filter(({ output }) => output === name)).length;
  expect(failed.map(({ case: folder, error, outputs }) => [folder, error, outputs])).toEqual([]);
  expect(outputs('loss_per_sample')).toBe(60);
  expect(outputs('logits.grad')).toBe(48);
});

it("the losses for several labels per sample and their gradients are PyTorch's", async () => {
  const { cases } = await validate([MULTI_LABEL]);
  const failed = cases.filter(({ verdict }) => verdict !== 'pass');
  const outputs = (name: string): number =>
    cases.flatMap((r) => r.outputs.filter(({ output }) => output === name)).length;
  expect(failed.map(({ case: folder, error, outputs }) => [folder, error, outputs])).toEqual([]);
  expect(outputs('loss_per_sample')).toBe(70);
  expect(outputs('logits.grad')).toBeGreaterThan(35);
  expect(outputs('ib_factor')).toBe(20);
});

it('every loss of the catalogue has cases of an outside judge', () => {
  const judged = new Set([...lossesOf(join(CASES, 'loss')), ...lossesOf(MORE), ...lossesOf(MULTI_LABEL)]);
  expect(Object.keys(losses).filter((name) => !judged.has(name))).toEqual([]);
});
