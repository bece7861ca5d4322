import { describe, expect, it } from 'vitest';
import { surenessOf } from '../../src/metrics/seen.ts';

const part = (confidence: readonly number[], right: readonly boolean[]) => ({
  confidence,
  predicted: right.map(() => 1),
  labels: right.map((own) => (own ? 1 : 0)),
});

describe('how sure a model is', () => {
  it('is compared with how often it is right, over all parts', () => {
    const known = part([0.9, 0.9, 0.8], [true, true, true]);
    expect(surenessOf([known])).toEqual({ confidence: expect.closeTo(2.6 / 3, 12), accuracy: 1, isOverSure: false });
    const others = part([0.9, 0.9], [true, false]);
    const both = surenessOf([known, others]);
    expect(both.confidence).toBeCloseTo(4.4 / 5, 12);
    expect(both.accuracy).toBeCloseTo(4 / 5, 12);
    expect(both.isOverSure).toBe(true);
  });
});
