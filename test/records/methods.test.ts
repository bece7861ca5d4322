import { describe, expect, it } from 'vitest';
import { epochsFor, rateFor } from '../../src/records/methods.ts';

describe('the epochs of a method', () => {
  it.each([
    [1, 60],
    [5, 40],
    [6, 34],
    [20, 12],
    [1_600, 12],
    [5_000, 4],
    [20_000, 3],
    [1_000_000, 3],
  ])('at %d steps an epoch are %d', (steps, epochs) => {
    expect(epochsFor(steps)).toBe(epochs);
  });
});

describe('the rate of a method', () => {
  it.each([
    [{ trained: 7_000, hasAttention: false }, 3e-3],
    [{ trained: 1_200_000, hasAttention: false }, 1e-4],
    [{ trained: 60_000, hasAttention: true }, 1e-4],
    [{ trained: 60_000, hasAttention: true, isFresh: true }, 3e-3],
    [{ trained: 1_200_000, hasAttention: true, isFresh: true }, 1e-3],
  ])('of %j is %d', (size, rate) => {
    expect(rateFor(size)).toBe(rate);
  });
});
