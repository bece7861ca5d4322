import { isClose, type Tolerance, toNumbers } from '../numbers.ts';
import { isFloat, type Tensor } from '../tensor.ts';
import type { Errors } from './report.ts';

/** The result of comparing two tensors; `problem` says why they differ. */
export interface Comparison {
  readonly errors: Errors | null;
  readonly problem?: string;
}

/**
 * Compares a result with the expected one. Floats of different precision are compared as numbers; everything else must have the same
 * type.
 */
export function compareTensors(actual: Tensor, expected: Tensor, tolerance: Tolerance): Comparison {
  if (actual.dtype !== expected.dtype && !(isFloat(actual.dtype) && isFloat(expected.dtype))) {
    return { errors: null, problem: `type ${actual.dtype}, expected ${expected.dtype}` };
  }
  if (actual.dims.join() !== expected.dims.join()) {
    return { errors: null, problem: `shape [${actual.dims.join(', ')}], expected [${expected.dims.join(', ')}]` };
  }
  if (expected.dtype === 'string') return compareTexts(actual, expected);
  const exact = isFloat(expected.dtype) ? tolerance : { rtol: 0, atol: 0 };
  return compareNumbers(toNumbers(actual), toNumbers(expected), exact);
}

function compareTexts(actual: Tensor, expected: Tensor): Comparison {
  const at = Array.from(expected.data, String).findIndex((text, i) => text !== actual.data[i]);
  if (at < 0) return { errors: null };
  return { errors: null, problem: `element ${at}: "${actual.data[at]}", expected "${expected.data[at]}"` };
}

function compareNumbers(actual: readonly number[], expected: readonly number[], tolerance: Tolerance): Comparison {
  let [maxAbs, maxRel, maxUlp] = [0, 0, 0];
  let wrong = 0;
  let first: string | undefined;
  for (const [i, want] of expected.entries()) {
    const got = actual[i] ?? Number.NaN;
    const passes = isClose(got, want, tolerance);
    if (!passes) {
      wrong++;
      first ??= `element ${i}: ${got}, expected ${want}`;
    }
    const apart = Math.abs(got - want);
    if (!Number.isFinite(apart)) continue;
    maxAbs = Math.max(maxAbs, apart);
    if (want !== 0 && apart > tolerance.atol) maxRel = Math.max(maxRel, apart / Math.abs(want));
    maxUlp = Math.max(maxUlp, apart / ulp(want));
  }
  const errors = { maxAbs, maxRel, maxUlp };
  return first === undefined
    ? { errors }
    : { errors, problem: `${wrong} of ${expected.length} out of tolerance; ${first}` };
}

/** The distance from a number, as a float32, to the next one away from 0. */
function ulp(x: number): number {
  const exponent = Math.floor(Math.log2(Math.max(Math.abs(Math.fround(x)), MIN_NORMAL)));
  return 2 ** (exponent - 23);
}

const MIN_NORMAL = 2 ** -126;
