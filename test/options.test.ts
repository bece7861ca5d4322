import { describe, expect, it } from 'vitest';
import type { Loss } from '../src/contract.ts';
import { LossgraftError } from '../src/errors.ts';
import { resolveOptions } from '../src/options/declared.ts';
import { lossesByName } from './support/catalogue.ts';

function resolve(name: string, given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const loss: Loss | undefined = lossesByName[name];
  if (loss === undefined) throw new Error(name);
  return resolveOptions(loss.options, given, `loss ${name}`);
}

function problemOf(name: string, given: Readonly<Record<string, unknown>>): LossgraftError['problem'] {
  try {
    resolve(name, given);
  } catch (error) {
    if (error instanceof LossgraftError) return error.problem;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('options', () => {
  it("have the reference scripts' defaults", () => {
    expect(resolve('ce', {})).toEqual({ form: 'fused' });
    expect(resolve('focal', {})).toEqual({ gamma: 1, focalScale: 10, form: 'fused' });
    expect(resolve('ib', {})).toEqual({ alpha: 1000, epsilon: 1e-3, detachFactor: false, form: 'fused' });
    expect(resolve('ib-focal', {})).toEqual({
      alpha: 1000,
      epsilon: 1e-3,
      detachFactor: false,
      gamma: 1,
      form: 'fused',
    });
  });

  it("have the authors' or PyTorch's defaults in the other losses", () => {
    expect(resolve('ldam', {})).toEqual({ maxMargin: 0.5, scale: 30, form: 'fused' });
    expect(resolve('balanced-softmax', {})).toEqual({ form: 'fused' });
    expect(resolve('logit-adjustment', {})).toEqual({ tau: 1, form: 'fused' });
    expect(resolve('vector-scaling', {})).toEqual({ scalingGamma: 0.3, tau: 1, form: 'fused' });
    expect(resolve('label-smoothing', {})).toEqual({ smoothing: 0.1, form: 'fused' });
    expect(resolve('poly1', {})).toEqual({ polyEpsilon: 2, form: 'fused' });
  });

  it('take what is given, and undefined for not given', () => {
    expect(resolve('ib', { alpha: 1, epsilon: 0, detachFactor: true, form: undefined })).toEqual({
      alpha: 1,
      epsilon: 0,
      detachFactor: true,
      form: 'fused',
    });
    expect(resolve('ib', { gamma: undefined })).toEqual(resolve('ib', {}));
  });

  it('refuse a name that the loss does not declare, and say which it does', () => {
    expect(problemOf('ib', { gamma: 2 })).toMatchObject({
      code: 'unknown-option',
      where: 'loss ib, option gamma',
      expected: 'one of its options: alpha, epsilon, detachFactor, form',
    });
    expect(problemOf('ib', { alpa: 2 }).hint).toContain('alpha');
    expect(problemOf('ib', { toString: 2 }).code).toBe('unknown-option');
  });

  it.each([
    ['ib', { alpha: 0 }, 'a number above 0', '0'],
    ['ib', { alpha: -1 }, 'a number above 0', '-1'],
    ['ib', { alpha: Number.POSITIVE_INFINITY }, 'a number above 0', 'Infinity'],
    ['ib', { alpha: '1000' }, 'a number above 0', '"1000"'],
    ['ib', { epsilon: -1e-9 }, 'a number of 0 or more', '-1e-9'],
    ['ib', { detachFactor: 1 }, 'true or false', '1'],
    ['ib', { form: 'fast' }, 'one of fused, literal', '"fast"'],
    ['ib-focal', { gamma: Number.NaN }, 'a number of 0 or more', 'NaN'],
    ['ib-focal', { gamma: null }, 'a number of 0 or more', 'null'],
    ['focal', { focalScale: 0 }, 'a number above 0', '0'],
    ['ldam', { maxMargin: -0.1 }, 'a number of 0 or more', '-0.1'],
    ['ldam', { scale: 0 }, 'a number above 0', '0'],
    ['logit-adjustment', { tau: -1 }, 'a number of 0 or more', '-1'],
    ['vector-scaling', { scalingGamma: -1 }, 'a number of 0 or more', '-1'],
    ['label-smoothing', { smoothing: 1.1 }, 'a number from 0 to 1', '1.1'],
    ['poly1', { polyEpsilon: -1.5 }, 'a number of -1 or more', '-1.5'],
  ])('refuse for %s: %o', (name, given, expected, found) => {
    expect(problemOf(name, given)).toMatchObject({ expected, found });
  });
});
