import { describe, expect, it } from 'vitest';
import { judged, METRICS, metricNamed } from '../../src/metrics/metrics.ts';
import { areKept, Collector, MAX_KEPT, Scored } from '../../src/metrics/scored.ts';

function collected(rows: readonly (readonly number[])[], labels: readonly number[]): Scored {
  const classes = rows[0]?.length ?? 0;
  const collector = new Collector(labels.length, classes);
  // In two batches, as a run gives them; what fills a batch up is passed over.
  const cut = Math.ceil(labels.length / 2);
  collector.add([...rows.slice(0, cut).flat(), 9, 9, 9], labels.slice(0, cut));
  collector.add(rows.slice(cut).flat(), labels.slice(cut));
  return collector.done();
}

describe('logits, batch by batch', () => {
  it('become their softmax', () => {
    const { probabilities, predicted, confidence, truth } = collected(
      [
        [1, 2, 3],
        [0.5, 0.5, -1],
        [7, 0, 7],
      ],
      [0, 1, 2],
    );
    // scipy.special.softmax
    const expected = [
      0.09003057317038046, 0.24472847105479764, 0.6652409557748218, 0.4498162176582741, 0.4498162176582741,
      0.10036756468345168, 0.4997721334023319, 0.00045573319533629233, 0.4997721334023319,
    ];
    for (const [i, p] of expected.entries()) expect(probabilities?.[i]).toBeCloseTo(p, 14);
    expect([...predicted]).toEqual([2, 0, 0]);
    expect(confidence[0]).toBeCloseTo(expected[2] ?? 0, 14);
    expect(truth[1]).toBeCloseTo(expected[4] ?? 0, 14);
  });

  it('may be large, and −Infinity', () => {
    const { probabilities } = collected(
      [
        [1e30, 0, 0],
        [-1e30, 0, Number.NEGATIVE_INFINITY],
      ],
      [0, 1],
    );
    expect([...(probabilities as Float64Array)]).toEqual([1, 0, 0, 0, 1, 0]);
  });

  it('that are NaN make no number look good', () => {
    const all = judged(
      collected(
        [
          [Number.NaN, 0],
          [0, 1],
        ],
        [0, 1],
      ),
    );
    expect(METRICS.logLoss.of(all)).toBeNaN();
    expect(METRICS.ece.of(all)).toBeNaN();
    expect(METRICS.prAuc.of(all)).toBeNull();
  });
});

it('probabilities that are too many are not kept, and nothing is ranked', () => {
  expect([areKept(MAX_KEPT, 1), areKept(MAX_KEPT / 8, 9)]).toEqual([true, false]);
  const one = Float64Array.of(0.6);
  const all = judged(
    new Scored({
      labels: Int32Array.of(0),
      classes: 2,
      predicted: Int32Array.of(0),
      confidence: one,
      truth: one,
      probabilities: null,
    }),
  );
  expect([METRICS.prAuc.of(all), METRICS.rocAuc.of(all), METRICS.accuracy.of(all)]).toEqual([null, null, 1]);
});

it('labels that are no class are refused, as are probabilities that are too few', () => {
  expect(() => Scored.of({ labels: [0, 2], probabilities: [1, 0, 0, 1], classes: 2 })).toThrow(
    /0 to 1 expected, 2 found/,
  );
  expect(() => Scored.of({ labels: [0, 1], probabilities: [1, 0, 0], classes: 2 })).toThrow(/2 × 2 .* 3 found/);
});

it('metrics are named on the command line', () => {
  expect(metricNamed('macro-f1')).toBe('macroF1');
  expect(() => metricNamed('f1')).toThrow(/f1 is no metric/);
});
