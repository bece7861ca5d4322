import { describe, expect, it } from 'vitest';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { lossesByName } from '../support/catalogue.ts';
import { lossModel } from '../support/lossModel.ts';
import { type SoftLoss, softCases } from '../support/softCases.ts';

const { losses } = softCases();

function matrix(rows: readonly number[][]): Tensor {
  return { dtype: 'float32', dims: [rows.length, rows[0]?.length ?? 0], data: Float32Array.from(rows.flat()) };
}

async function run(
  { loss: name, options, weights, positiveWeights, counts, logits, labels, norm }: SoftLoss,
  how: { readonly form?: string; readonly areSoft?: boolean } = {},
) {
  const loss = lossesByName[name];
  if (loss === undefined) throw new Error(name);
  const { form, areSoft = true } = how;
  const given = form !== undefined && 'form' in loss.options ? { ...options, form } : options;
  const ofClasses = { ...(weights ? { weights } : {}), ...(positiveWeights ? { positiveWeights } : {}) };
  const session = await openSession(
    lossModel({ loss, options: given, ...ofClasses, counts, areSoft, gradient: 'whole' }).bytes,
  );
  try {
    const hard = labels.map((row) => BigInt(row.indexOf(1)));
    const isIndices = !areSoft && loss.task !== 'multi-label';
    const results = await session.run({
      logits: matrix(logits),
      labels: isIndices ? { dtype: 'int64', dims: [hard.length], data: BigInt64Array.from(hard) } : matrix(labels),
      ...(norm ? { norm: { dtype: 'float32', dims: [norm.length], data: Float32Array.from(norm) } as const } : {}),
    });
    const numbers = (output: string): number[] => Array.from(results[output]?.data ?? [], Number);
    return { perSample: numbers('loss_per_sample'), grad: numbers('logits.grad') };
  } finally {
    await session.close();
  }
}

describe.each(losses)('$loss of soft labels, $options, weights $weights, of labels $positiveWeights', (one) => {
  it.each(['fused', 'literal'])('is PyTorch’s, and so is its gradient, %s', async (form) => {
    const { perSample, grad } = await run(one, { form });
    // A label that is certain leaves a small loss of numbers near 1: PyTorch's float32 loses its digits, too.
    const largestLoss = Math.max(...one.perSample);
    for (const [i, value] of one.perSample.entries())
      expect(Math.abs((perSample[i] ?? Number.NaN) - value)).toBeLessThan(2e-6 * value + 1e-7 * largestLoss);
    const wanted = one.grad.flat();
    const largest = Math.max(...wanted.map(Math.abs));
    expect(grad).toHaveLength(wanted.length);
    for (const [i, slope] of wanted.entries())
      expect(Math.abs((grad[i] ?? Number.NaN) - slope)).toBeLessThan(2e-6 * largest);
  });

  it('of labels that are certain is the loss of these', async () => {
    const labels = one.labels.map((row, i) => row.map((_, k) => Number(k === i % row.length)));
    const [soft, hard] = [await run({ ...one, labels }), await run({ ...one, labels }, { areSoft: false })];
    const largest = Math.max(...hard.perSample);
    for (const [i, value] of hard.perSample.entries())
      expect(Math.abs((soft.perSample[i] ?? Number.NaN) - value)).toBeLessThan(1e-5 * largest);
    // g = Σ|p − t| of a sample the model is sure of is a difference of near numbers.
    const steepest = Math.max(...hard.grad.map(Math.abs));
    for (const [i, slope] of hard.grad.entries())
      expect(Math.abs((soft.grad[i] ?? Number.NaN) - slope)).toBeLessThan(1e-4 * steepest);
  });
});

it('every loss that says it reads soft labels is among these', () => {
  const names = Object.entries(lossesByName).flatMap(([name, loss]) => (loss.takesSoftLabels ? [name] : []));
  expect([...new Set(losses.map(({ loss }) => loss))].sort()).toEqual(names.sort());
});
