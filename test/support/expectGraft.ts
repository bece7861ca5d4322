import { expect } from 'vitest';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { changedOutputs, type Graft } from './grafted.ts';
import { worstRelative } from './runLoss.ts';

/** The model's own outputs are the same bits, come first and in order; the losses are the float64 ones to 2e-6. */
export function expectGraft(graft: Graft): void {
  expect(changedOutputs(graft.before, graft.after)).toEqual([]);
  expectOutputs(graft, 2e-6);
}

/**
 * The same for float16 on the CPU, where ONNX Runtime computes in float32 and rounds only what it must: a tensor that something reads
 * is rounded, and one that it fuses away is not. So the outputs are the bits of a host whose logits and features are outputs, too, and
 * the losses are right to half precision.
 */
export function expectHalfGraft(graft: Graft): void {
  const own = Object.keys(graft.before);
  const observed = Object.fromEntries(Object.entries(graft.observed).filter(([name]) => own.includes(name)));
  expect(Object.keys(observed)).toEqual(own);
  expect(changedOutputs(observed, graft.after)).toEqual([]);
  expectOutputs(graft, 2e-3);
}

function expectOutputs(graft: Graft, tolerance: number): void {
  const { report, before, after, expected } = graft;
  const own = (name: string): string => report.names[name] ?? name;
  expect(report.outputs.slice(0, Object.keys(before).length)).toEqual(Object.keys(before));
  expect(Object.keys(after)).toEqual(report.outputs);
  expect(report.inputs.at(-1)).toBe(own('labels'));
  expectNumbers(after[own('loss')], [], [expected.loss], tolerance);
  const rows = [expected.perSample.length];
  expectNumbers(after[own('loss_per_sample')], rows, expected.perSample, tolerance);
  if (expected.factor.length > 0) expectNumbers(after[own('ib_factor')], rows, expected.factor, tolerance);
}

function expectNumbers(actual: Tensor | undefined, dims: number[], expected: number[], tolerance: number): void {
  if (!actual) throw new Error('an output is missing');
  expect([actual.dtype, actual.dims]).toEqual(['float32', dims]);
  expect(worstRelative(toNumbers(actual), expected)).toBeLessThan(tolerance);
}
