import { describe, expect, it } from 'vitest';
import { wilson } from '../../src/metrics/wilson.ts';

describe("Wilson's interval", () => {
  // scipy 1.x: binomtest(hits, total).proportion_ci(0.95, method='wilson')
  it.each([
    [0, 1, 0, 0.7934506856227626],
    [1, 1, 0.20654931437723745, 1],
    [0, 5, 0, 0.43448246478317476],
    [3, 7, 0.1582198552514697, 0.7495416354723428],
    [45, 50, 0.7863976856252034, 0.9565242350681095],
    [50, 50, 0.9286524008666412, 1],
    [123, 1000, 0.10407414325107296, 0.1448112326470356],
  ])('of %i of %i is that of scipy', (hits, total, low, high) => {
    const found = wilson(hits, total);
    expect(found.low).toBeCloseTo(low, 14);
    expect(found.high).toBeCloseTo(high, 14);
  });
});
