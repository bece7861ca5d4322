import { DeviceTensor, type Feed, type Session } from '../runtime/session.ts';
import type { Tensor } from '../tensor.ts';
import type { Tensors } from './protocol.ts';
import { stepOf, stepsOf } from './steps.ts';

export type State = Readonly<Record<string, Feed>>;

/** What some steps came to: the state after them, if every loss was finite. */
export interface SteppedState {
  readonly losses: readonly number[];
  readonly state: State | undefined;
}

/**
 * Takes steps one after the other, whose batches stand one behind the other in the feeds. The state stays in the GPU's memory: what comes
 * back is the loss. The state at the start is left as it is.
 */
export async function stepOnDevice(
  session: Session,
  start: State,
  feeds: Tensors,
  loss: string,
): Promise<SteppedState> {
  const losses: number[] = [];
  let state = start;
  const own = new Set(session.inputs.map(({ name }) => name));
  for (let step = 0; step < stepsOf(feeds); step++) {
    const read = Object.fromEntries(Object.entries(state).filter(([name]) => own.has(name)));
    const results = await session.runOnDevice({ ...stepOf(feeds, step), ...read });
    const next = Object.entries(state).map(([name, tensor]) => [name, results[`${name}.next`] ?? tensor] as const);
    const before = state;
    state = Object.fromEntries(next);
    const found = results[loss];
    losses.push(found === undefined || found instanceof DeviceTensor ? Number.NaN : Number(found.data[0]));
    if (before !== start) dispose(before, [start, state]);
    if (Number.isFinite(losses.at(-1))) continue;
    dispose(state, [start]);
    return { losses, state: undefined };
  }
  return { losses, state };
}

/** Gives the memory of a state back, but for what others still have. */
export function dispose(state: State, others: readonly State[]): void {
  const kept = new Set(others.flatMap((other) => Object.values(other)));
  for (const tensor of Object.values(state)) {
    if (tensor instanceof DeviceTensor && !kept.has(tensor)) tensor.dispose();
  }
}

/** Rounding makes 1e-6 of a loss; drivers may round more loosely, and noise decides about the steps of what has no gradient. */
const LOSS_TOLERANCE = 1e-3;
const STEP_TOLERANCE = 0.05;

/** Why a step is another one than the CPU's; `undefined` where it is the same: its loss, and how far all parameters together are from there. */
export function stepDiffers(before: Tensors, loss: string): (found: Tensors, expected: Tensors) => string | undefined {
  return (found, expected) => {
    const [got = Number.NaN, want = Number.NaN] = [found, expected].map((results) => Number(results[loss]?.data[0]));
    if (!(Math.abs(got - want) <= LOSS_TOLERANCE * Math.max(1e-3, Math.abs(want))) && !Object.is(got, want)) {
      return `a loss of ${got}, and of ${want} on the CPU`;
    }
    const names = Object.keys(before).filter((name) => `${name}.next` in expected);
    let [apart, moved] = [0, 0];
    for (const name of names) {
      const [a, b] = [found[`${name}.next`], expected[`${name}.next`]];
      apart += squares(a, b);
      moved += squares(b, before[name]);
    }
    const share = Math.sqrt(apart / moved);
    return moved > 0 && !(share <= STEP_TOLERANCE)
      ? `a step that is ${share.toPrecision(2)} of its length away`
      : undefined;
  };
}

function squares(a: Tensor | undefined, b: Tensor | undefined): number {
  let sum = 0;
  for (let i = 0; i < (a?.data.length ?? 0); i++) sum += (Number(a?.data[i]) - Number(b?.data[i])) ** 2;
  return sum;
}
