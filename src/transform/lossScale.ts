import type { Emitter, Value } from '../emit/index.ts';
import { RENAME_TENSOR } from '../ir/names.ts';

/** The loss is multiplied by this before the backward pass, so that small gradients have a float16. */
export const LOSS_SCALE = 'lossgraft.loss_scale';
/** Steps that were not taken, since a gradient had left the range of float16. */
export const SKIPPED_STEPS = 'lossgraft.skipped_steps';
const SINCE = 'lossgraft.steps_since_skip';

/** As torch.amp.GradScaler of PyTorch 2.15 begins. */
export const SCALER = { initial: 65536, growth: 2, backoff: 0.5, interval: 2000 } as const;
/** The largest power of 2 in float32: twice it is infinite, and GradScaler keeps what cannot grow. */
const LARGEST = 2 ** 127;

/** A number that goes round; see `State`. */
interface ScaleState {
  readonly current: Value;
  readonly next: Value;
  readonly kind: 'slot';
  readonly initial?: number;
}

/** The scale as an input of the graph. */
export function scaleInput(op: Emitter): Value {
  return stateInput(op, LOSS_SCALE);
}

function stateInput(op: Emitter, name: string): Value {
  const value = op.graph.define(name, 'float32', [], RENAME_TENSOR);
  op.graph.inputs.push(value);
  return value;
}

/** Gradients of the loss itself, from those of the loss times `scale`. */
export function unscale(op: Emitter, gradients: ReadonlyMap<Value, Value>, scale: Value): ReadonlyMap<Value, Value> {
  const inverse = op.div(1, scale);
  return new Map([...gradients].map(([param, gradient]) => [param, typed(op.mul(gradient, inverse), param)]));
}

/** Whether a number among them is infinite or NaN: 0 times it is then NaN, and so is each sum with it. */
export function overflows(op: Emitter, gradients: Iterable<Value>): Value {
  const zeros = [...gradients].map((gradient) => op.reduceSum(op.mul(gradient, 0)));
  const [first = op.scalar(0, 'float32')] = zeros;
  const sum = zeros.length < 2 ? first : op.call('Sum', zeros, { shape: [] });
  return op.call('IsNaN', [sum], { dtype: 'bool', shape: [] });
}

/**
 * How the scale goes on, as torch.amp.GradScaler's does: halved where a step is skipped, doubled after 2000 steps that were not.
 *
 * @param isDue whether this is the last of a step's micro-batches; `undefined`: always.
 */
export function nextScale(op: Emitter, scale: Value, isSkipped: Value, isDue: Value | undefined): ScaleState[] {
  const [since, skipped] = [stateInput(op, SINCE), stateInput(op, SKIPPED_STEPS)];
  const taken = op.add(since, 1);
  const isRipe = op.not(op.less(taken, SCALER.interval));
  const grown = op.where(op.and(isRipe, op.less(scale, LARGEST)), op.mul(scale, SCALER.growth), scale);
  const nexts: readonly (readonly [Value, Value])[] = [
    [scale, op.where(isSkipped, op.mul(scale, SCALER.backoff), grown)],
    [since, op.where(isSkipped, 0, op.where(isRipe, 0, taken))],
    [skipped, op.add(skipped, op.cast(isSkipped, 'float32'))],
  ];
  return nexts.map(([current, value]) => ({
    current,
    next: typed(isDue ? op.where(isDue, value, current) : value, current),
    kind: 'slot',
    ...(current === scale ? { initial: SCALER.initial } : {}),
  }));
}

function typed(next: Value, { dtype, shape }: Value): Value {
  next.dtype ??= dtype;
  next.shape ??= shape;
  return next;
}
