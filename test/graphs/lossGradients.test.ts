import { expect, it } from 'vitest';
import { losses } from '../../graphs/index.ts';
import { missOf, type Sample } from '../support/oracle.ts';
import { runLoss } from '../support/runLoss.ts';

/** Near and far samples, on whose sides the fused form takes different ways, in an order that mixes them. */
const SAMPLES: readonly Sample[] = [
  [[-300, -305, -301.5], 0],
  [[1.5, -2.25, 0.5], 1],
  [[20, 3, -4], 0],
  [[120, 80, 119], 2],
  [[90, 10, 9], 0],
  [[-80, 3, 2], 0],
  [[68, 70, 69.5], 1],
  [[5e5, 5e5 - 7, -3], 0],
  [[1e4, -1e4, -1e4], 1],
  [[0, 0, 0], 2],
].map(([logits, label]) => ({ logits: logits as number[], label: Number(label), norm: 1, weight: 1 }));

/** The gradient of the mean cross-entropy, from the papers' formulas in float64: p − onehot. */
function expected({ logits, label }: Sample, rows: number): number[] {
  const top = Math.max(...logits);
  const total = logits.reduce((sum, z) => sum + Math.exp(z - top), 0);
  const miss = missOf({ logits, label, norm: 1, weight: 1 });
  return logits.map((z, k) => (k === label ? -miss : Math.exp(z - top) / total) / rows);
}

it.each([{ form: 'fused', classes: 3 }, { form: 'fused' }, { form: 'literal' }])(
  'ce, $form, $classes known classes: dz of near and far samples in one batch, each alone, and turned around',
  async ({ form, ...known }) => {
    const loss = losses.ce;
    if (!loss) throw new Error('ce');
    const batches = [SAMPLES, [...SAMPLES].reverse(), ...SAMPLES.map((sample) => [sample])];
    for (const samples of batches) {
      const { logitsGrad } = await runLoss({ loss, options: { form }, gradient: 'whole', ...known }, samples);
      const want = samples.flatMap((sample) => expected(sample, samples.length));
      expect(logitsGrad).toHaveLength(want.length);
      for (const [i, value] of want.entries()) {
        const tolerance = form === 'fused' ? 1e-6 * Math.abs(value) + 1e-30 : 1e-6;
        expect(Math.abs((logitsGrad[i] ?? Number.NaN) - value)).toBeLessThanOrEqual(tolerance);
      }
    }
  },
);
