import { LossgraftError } from '../../src/errors.ts';
import { type GradientCase, runGradientCase } from './gradientCases.ts';

const STEP = 1e-6;
const NO_FLOAT64 = /NOT_IMPLEMENTED|Could not find an implementation|Type 'tensor\(double\)' of .* is invalid/;

/**
 * The relative difference between ⟨gradient, v⟩ and (L(x + εv) − L(x − εv)) / 2ε for one random direction v, in float64.
 * `undefined` where ONNX Runtime has no float64 kernel for the operator, or the function no derivative.
 */
export async function directionalError(c: GradientCase): Promise<number | undefined> {
  if (c.nondifferentiable) return undefined;
  const direction = seededDirection(c);
  try {
    const { grads } = await runGradientCase(c, { dtype: 'float64' });
    const analytic = Object.entries(direction).reduce((sum, [name, v]) => sum + dot(grads[name] ?? [], v), 0);
    const plus = await runGradientCase(moved(c, direction, STEP), { dtype: 'float64' });
    const minus = await runGradientCase(moved(c, direction, -STEP), { dtype: 'float64' });
    const numeric = (plus.loss - minus.loss) / (2 * STEP);
    return Math.abs(analytic - numeric) / Math.max(1, Math.abs(numeric));
  } catch (error) {
    if (error instanceof LossgraftError && NO_FLOAT64.test(error.message)) return undefined;
    throw error;
  }
}

function seededDirection(c: GradientCase): Record<string, number[]> {
  let state = 7;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  return Object.fromEntries(Object.entries(c.grads).map(([name, { data }]) => [name, data.map(random)]));
}

function moved(c: GradientCase, direction: Readonly<Record<string, number[]>>, step: number): GradientCase {
  const inputs = c.inputs.map((input) => {
    const v = input && direction[input.name];
    if (!input || !v) return input;
    return { ...input, data: input.data.map((x, i) => Number(x) + step * (v[i] ?? 0)) };
  });
  return { ...c, inputs };
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
}
