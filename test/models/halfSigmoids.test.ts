import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AugmentOptions, evaluate, fromTensors, open, train } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { numberToFloat16 } from '../../src/onnx/index.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { augmentFile, changedOutputs, generator, runBytes } from '../support/grafted.ts';
import { worstRelative } from '../support/runLoss.ts';

/** See fixtures/multiLabel/generate.py. */
const path = (name: string): string => join(ROOT, 'fixtures/multiLabel', name);

function features(rows: number, seed = 3): Tensor {
  const random = generator(seed);
  const data = Uint16Array.from({ length: rows * 6 }, () => numberToFloat16(2 * random() - 1));
  return { dtype: 'float16', dims: [rows, 6], data };
}

const numbersOf = (tensor: Tensor | undefined): number[] => (tensor ? toNumbers(tensor) : []);

describe('float16 heads with sigmoids', () => {
  it('one: cross-entropy and the factor of the influence-balanced loss, to half precision', async () => {
    const x = features(5);
    const labels: Tensor = { dtype: 'int64', dims: [5], data: BigInt64Array.of(0n, 1n, 1n, 0n, 1n) };
    const before = await runBytes(path('half-binary.onnx'), { x });
    const p = numbersOf(before.y);
    for (const loss of ['ce', 'ib'] as const) {
      const { report, bytes } = await augmentFile(path('half-binary.onnx'), { loss });
      expect(report.head).toEqual({ kind: 'sigmoid-binary', isStated: true });
      const after = await runBytes(bytes, { x, labels });
      expect(changedOutputs(before, after)).toEqual([]);
      const ce = p.map((share, i) => -Math.log([0n, 1n][Number(labels.data[i])] === 1n ? share : 1 - share));
      const factors = loss === 'ib' ? numbersOf(after.ib_factor) : p.map(() => 1);
      expect(
        worstRelative(
          numbersOf(after.loss_per_sample),
          ce.map((value, i) => value * (factors[i] ?? 0)),
        ),
      ).toBeLessThan(5e-3);
    }
  });

  it('three: binary cross-entropies of the labels', async () => {
    const x = features(4);
    const hot = [1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0];
    const labels: Tensor = { dtype: 'float32', dims: [4, 3], data: Float32Array.from(hot) };
    const before = await runBytes(path('half.onnx'), { x });
    const terms = numbersOf(before.y).map((p, i) => -Math.log(hot[i] === 1 ? p : 1 - p));
    const expected = [0, 3, 6, 9].map((i) => terms.slice(i, i + 3).reduce((sum, term) => sum + term, 0) / 3);
    for (const options of [{ loss: 'bce' }, { loss: 'sigmoid-ib', alpha: 1, epsilon: 0 }] as AugmentOptions[]) {
      const { bytes } = await augmentFile(path('half.onnx'), options);
      const after = await runBytes(bytes, { x, labels });
      expect(changedOutputs(before, after)).toEqual([]);
      const factors = after.ib_factor ? numbersOf(after.ib_factor) : expected.map(() => 1);
      expect(
        worstRelative(
          numbersOf(after.loss_per_sample),
          expected.map((value, i) => value * (factors[i] ?? 0)),
        ),
      ).toBeLessThan(5e-3);
    }
  });

  it.each(['half-binary.onnx', 'half.onnx'])('%s: trained, and written back in float16', async (name) => {
    const size = 200;
    const x = features(size, 5);
    const values = numbersOf(x);
    const at = (row: number, k: number): number =>
      (values[row * 6 + k] ?? 0) + 0.5 * (values[row * 6 + k + 3] ?? 0) > 0.3 ? 1 : 0;
    const rows = Array.from({ length: size }, (_, row) => row);
    const labels: Tensor =
      name === 'half.onnx'
        ? {
            dtype: 'uint8',
            dims: [size, 3],
            data: Uint8Array.from(rows.flatMap((row) => [0, 1, 2].map((k) => at(row, k)))),
          }
        : { dtype: 'int64', dims: [size], data: BigInt64Array.from(rows, (row) => BigInt(at(row, 0))) };
    const data = fromTensors({ x, labels });
    using model = await open(path(name));
    const options = {
      data,
      folder: join(temporaryFolder(), 'run'),
      trainable: 'all',
      report: false,
      trustLabels: true,
      epochs: 20,
      learningRate: 0.02,
    } as const;
    const result = await train(model, options);
    const tuned = join(temporaryFolder(), 'tuned.onnx');
    await result.write(tuned, { anyway: true });
    using after = await open(tuned);
    const { metrics } = await evaluate(after, data, { against: model });
    expect(metrics.change?.metrics.prAuc?.low).toBeGreaterThan(0.05);
  });
});
