import { isClose, type Tolerance, toNumbers } from '../../numbers.ts';
import { isFloat, type Tensor } from '../../tensor.ts';

/** The difference of an output between two providers. */
export interface Agreement {
  readonly output: string;
  readonly elements: number;
  readonly maxAbsolute: number;
  readonly maxRelative: number;
  readonly agrees: boolean;
}

/** Compares the outputs of two runs, element by element; NaN agrees with NaN, and an infinity with itself. */
export function compareOutputs(
  actual: Readonly<Record<string, Tensor>>,
  expected: Readonly<Record<string, Tensor>>,
  tolerance: Tolerance,
): Agreement[] {
  return Object.entries(expected).map(([output, want]) => compareTensor(output, actual[output], want, tolerance));
}

/** Integers, booleans and strings must be equal. */
function compareTensor(output: string, got: Tensor | undefined, want: Tensor, tolerance: Tolerance): Agreement {
  const elements = want.data.length;
  const same = got !== undefined && got.dtype === want.dtype && got.dims.join() === want.dims.join();
  if (!same) return { output, elements, maxAbsolute: Infinity, maxRelative: Infinity, agrees: false };
  const floating = isFloat(want.dtype);
  const [found, expected] = [toNumbers(got), toNumbers(want)];
  let maxAbsolute = 0;
  let maxRelative = 0;
  let agrees = true;
  for (let i = 0; i < elements; i++) {
    if (got.data[i] === want.data[i]) continue;
    const [x, y] = [found[i] ?? NaN, expected[i] ?? NaN];
    if (floating && Object.is(x, y)) continue;
    const difference = Math.abs(x - y);
    const apart = Number.isFinite(difference) ? difference : Infinity;
    maxAbsolute = Math.max(maxAbsolute, apart);
    maxRelative = Math.max(maxRelative, apart === 0 ? 0 : apart / Math.abs(y) || Infinity);
    agrees &&= floating && isClose(x, y, tolerance);
  }
  return { output, elements, maxAbsolute, maxRelative, agrees };
}
