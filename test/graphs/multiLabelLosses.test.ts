import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Loss } from '../../src/contract.ts';
import { openSession } from '../../src/runtime/session.ts';
import { lossesByName, MULTI_LABEL_LOSSES } from '../support/catalogue.ts';
import { lossModel } from '../support/lossModel.ts';
import { type LabelledRow, ORACLE, ORACLES, slopesOf } from '../support/multiLabelOracle.ts';
import { worstRelative } from '../support/runLoss.ts';

const CLASSES = ORACLE.counts.length;

function lossNamed(name: string): Loss {
  const loss = lossesByName[name];
  if (loss === undefined) throw new Error(name);
  return loss;
}

interface Values {
  readonly perSample: number[];
  readonly grad: number[];
}

async function runRows(name: string, rows: readonly LabelledRow[], more: object = {}): Promise<Values> {
  const loss = lossNamed(name);
  const spec = { loss, ...ORACLE, gradient: 'whole', ...more } as const;
  const session = await openSession(lossModel(spec).bytes);
  try {
    const of = (values: readonly number[], dims: number[]) =>
      ({ dtype: 'float32', dims, data: Float32Array.from(values) }) as const;
    const results = await session.run({
      logits: of(
        rows.flatMap(({ logits }) => logits),
        [rows.length, CLASSES],
      ),
      labels: of(
        rows.flatMap(({ labels }) => labels),
        [rows.length, CLASSES],
      ),
      ...(loss.needsFeatures
        ? {
            norm: of(
              rows.map(({ norm }) => norm),
              [rows.length],
            ),
          }
        : {}),
    });
    const numbers = (output: string): number[] => Array.from(results[output]?.data ?? [], Number);
    return { perSample: numbers('loss_per_sample'), grad: numbers('logits.grad') };
  } finally {
    await session.close();
  }
}

const row: fc.Arbitrary<LabelledRow> = fc.record({
  logits: fc.array(fc.double({ min: -12, max: 12, noNaN: true }).map(Math.fround), {
    minLength: CLASSES,
    maxLength: CLASSES,
  }),
  labels: fc.array(fc.constantFrom(0, 1), { minLength: CLASSES, maxLength: CLASSES }),
  norm: fc.double({ min: 0.5, max: 100, noNaN: true }).map(Math.fround),
});

const oracleOf = (name: string) => ORACLES[name] ?? (() => Number.NaN);

describe.each(MULTI_LABEL_LOSSES)('%s', (name) => {
  it('is the formula in float64, and its gradient that formula’s finite differences', async () => {
    const oracle = oracleOf(name);
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 16 }), async (rows) => {
        const { perSample, grad } = await runRows(name, rows);
        const expected = rows.map(oracle);
        for (const [i, value] of expected.entries())
          expect(Math.abs((perSample[i] ?? Number.NaN) - value)).toBeLessThan(2e-6 * value + 2e-8);
        const slopes = rows.flatMap((one) => slopesOf(oracle, one).map((slope) => slope / rows.length));
        const largest = Math.max(...slopes.map(Math.abs));
        for (const [i, slope] of slopes.entries())
          expect(Math.abs((grad[i] ?? Number.NaN) - slope), `${i}`).toBeLessThan(1e-4 * largest + 1e-7);
      }),
      { numRuns: 30, seed: 2020 },
    );
  });

  it('has its full slope at logits of 0, where a new head begins', async () => {
    const zero = { logits: [0, 0, 0, 0], labels: [1, 0, 0, 1], norm: 2 };
    const { grad } = await runRows(name, [zero]);
    const slopes = slopesOf(oracleOf(name), zero);
    for (const [k, slope] of slopes.entries()) expect(grad[k]).toBeCloseTo(slope, 4);
    expect(Math.min(...grad.map(Math.abs))).toBeGreaterThan(1e-4);
  });

  it.each([11, 12, 13, 17, 18, 20, 21, 24, 26])('says the same at opset %i', async (opset) => {
    const rows = [{ logits: [2, -1, 0.5, -3], labels: [1, 1, 0, 0], norm: 3 }];
    const { perSample } = await runRows(name, rows, { opset, gradient: undefined });
    expect(worstRelative(perSample, rows.map(oracleOf(name)))).toBeLessThan(2e-6);
  });

  it.each([1e4, -1e4])('is finite at logits of ±1e4, those of labels that a sample has at %d', async (own) => {
    const labels = [1, 0, 0, 1];
    const logits = labels.map((y) => (y === 1 ? own : -own));
    const { perSample, grad } = await runRows(name, [{ logits, labels, norm: 0 }]);
    expect([...perSample, ...grad].filter((value) => !Number.isFinite(value))).toEqual([]);
  });

  it('gives none of an empty batch', async () => {
    expect(await runRows(name, [])).toEqual({ perSample: [], grad: [] });
  });
});
