import { describe, expect, it } from 'vitest';
import { weightings } from '../../graphs/index.ts';
import type { Weighting } from '../../src/contract.ts';
import { LossgraftError } from '../../src/errors.ts';
import { resolveOptions } from '../../src/options/declared.ts';
import { weightingsByName } from '../support/catalogue.ts';

function weightsOf(
  name: string,
  counts: readonly number[],
  options: Readonly<Record<string, unknown>> = {},
): readonly number[] {
  const weighting: Weighting | undefined = weightingsByName[name];
  if (weighting === undefined) throw new Error(name);
  return weighting.weights(counts, resolveOptions(weighting.options, options, `class weights ${name}`));
}

function close(actual: readonly number[], expected: readonly number[], digits = 12): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, want] of expected.entries()) expect(actual[i]).toBeCloseTo(want, digits);
}

// Expected values: numpy 2.4, and mpmath with 30 digits for β = 1 − 1e-12.
describe('class weights', () => {
  const counts = [5000, 2997, 50];

  it('none: all ones', () => close(weightsOf('none', counts), [1, 1, 1]));

  it('inverse: 1/n, mean 1', () =>
    close(weightsOf('inverse', counts), [0.029220304390358047, 0.048749256573837246, 2.9220304390358045]));

  it('effective: (1 − β)/(1 − β^n), mean 1, β = 0.9999 by default', () => {
    close(weightsOf('effective', counts), [0.03685083123876439, 0.0559918027329534, 2.907157366028282]);
  });

  it('positive: pos_weight as it is, or negatives by positives', () => {
    expect(weightsOf('positive', [90, 10])).toEqual([1, 9]);
    expect(weightsOf('positive', [90, 10], { posWeight: 3 })).toEqual([1, 3]);
    expect(weightsOf('positive', [], { posWeight: 3 })).toEqual([1, 3]);
    expect(() => weightsOf('positive', [])).toThrow(LossgraftError);
    expect(() => weightsOf('positive', [9, 1], { posWeight: -1 })).toThrow(LossgraftError);
  });

  it('effective: small β leaves all classes alike', () =>
    close(weightsOf('effective', counts, { beta: 0.5 }), [1, 1, 1]));

  it('effective: β next to 1 keeps its digits', () => {
    close(weightsOf('effective', [1000, 10], { beta: 1 - 1e-12 }), [0.0198019802077247, 1.98019801979227], 4);
  });

  it.each([
    [[3, 0, 2], 1, '0'],
    [[3, 5, -2], 2, '-2'],
    [[3.5, 1, 1], 0, '3.5'],
    [[1, Number.NaN, 1], 1, 'NaN'],
  ])('refuses the counts %j, naming class %i', (bad, index, found) => {
    for (const name of Object.keys(weightings)) {
      expect(() => weightsOf(name, bad)).toThrow(LossgraftError);
      expect(() => weightsOf(name, bad)).toThrow(
        `class ${index}] expected a whole number of samples above 0 for every class, found ${found}.`,
      );
    }
  });

  it('refuses no counts', () => expect(() => weightsOf('inverse', [])).toThrow('no counts'));

  it.each([0, 1, -0.1, 2])('refuses β = %d', (beta) => {
    expect(() => weightsOf('effective', counts, { beta })).toThrow('between 0 and 1');
  });

  it('refuses β where it means nothing', () => {
    expect(() => weightsOf('inverse', counts, { beta: 0.9 })).toThrow('[class weights inverse, option beta]');
  });
});
