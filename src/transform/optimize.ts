import type { Optimizer, OptionSpecs, OptionValues, Update } from '../contract.ts';
import type { Emitter, Value } from '../emit/index.ts';
import { LossgraftError } from '../errors.ts';
import { RENAME_TENSOR } from '../ir/names.ts';
import { resolveOptions } from '../options/declared.ts';
import type { Tensor } from '../tensor.ts';
import { nextScale, overflows, unscale } from './lossScale.ts';
import { globRegex } from './parameters.ts';

export interface OptimizeRequest {
  readonly optimizer: Optimizer;
  readonly optimizerOptions: Readonly<Record<string, unknown>>;
  /** Scales all gradients together so that their Euclidean norm is at most this: torch.nn.utils.clip_grad_norm_. */
  readonly clipNorm?: number;
  /** No weight decay for parameters of rank 1: biases and the scales of normalisations. */
  readonly noDecayForVectors?: boolean;
  /** The learning rate of parameters whose name matches a pattern is multiplied; the first match counts. */
  readonly rateFactors?: readonly { readonly pattern: string; readonly factor: number }[];
  /** Gradients are averaged over this many micro-batches before a step is taken. */
  readonly accumulate?: number;
  /** The initial scales of quantised weights among the parameters, by name. */
  readonly initialScales?: ReadonlyMap<string, Tensor>;
}

/** A state: its value in this step, and in the next. */
export interface State {
  readonly current: Value;
  readonly next: Value;
  readonly kind: 'parameter' | 'slot' | 'statistic';
  /** Of a slot of one number. Default 0. */
  readonly initial?: number;
}

/**
 * Emits the optimizer's step for all parameters.
 *
 * @param gradients by parameter, in its shape.
 * @param scale what the loss was multiplied by, and with it the gradients: a step in which one of them is not finite is not taken.
 * @returns every parameter and slot with its next value.
 */
export function optimize(
  op: Emitter,
  gradients: ReadonlyMap<Value, Value>,
  rate: Value,
  request: OptimizeRequest,
  scale?: Value,
): State[] {
  const options = resolveOptions(
    request.optimizer.options,
    request.optimizerOptions,
    `optimizer ${request.optimizer.name}`,
  );
  refuseBadFactors(request, [...gradients.keys()]);
  const own = scale ? unscale(op, gradients, scale) : gradients;
  const accumulation =
    request.accumulate === undefined || request.accumulate === 1
      ? undefined
      : accumulate(op, own, request.accumulate, scale !== undefined);
  const averaged = accumulation?.means ?? own;
  const clipped = request.clipNorm === undefined ? averaged : clip(op, averaged, request.clipNorm);
  const states = [...clipped].flatMap(([param, grad]) => update(op, param, grad, rate, request, options));
  const isDue = accumulation?.isDue;
  const due = isDue ? states.map((state) => ({ ...state, next: hold(op, isDue, state) })) : states;
  return [...(scale ? guarded(op, due, averaged, scale, isDue) : due), ...(accumulation?.states ?? [])];
}

/** Steps whose gradients are finite are taken, and the scale goes on. */
function guarded(
  op: Emitter,
  states: readonly State[],
  gradients: ReadonlyMap<Value, Value>,
  scale: Value,
  isDue: Value | undefined,
): State[] {
  const isSkipped = overflows(op, gradients.values());
  const isTaken = op.not(isSkipped);
  return [
    ...states.map((state) => ({ ...state, next: hold(op, isTaken, state) })),
    ...nextScale(op, scale, isSkipped, isDue),
  ];
}

function update(
  op: Emitter,
  param: Value,
  grad: Value,
  rate: Value,
  { optimizer, noDecayForVectors, rateFactors, initialScales }: OptimizeRequest,
  options: OptionValues<OptionSpecs>,
): State[] {
  const isVector = (param.shape?.length ?? 0) <= 1;
  const scale = initialScales?.get(param.name);
  const isBare = scale !== undefined || (noDecayForVectors && isVector);
  const own = isBare && 'weightDecay' in options ? { ...options, weightDecay: 0 } : options;
  const factor = rateFactors?.find(({ pattern }) => globRegex(pattern).test(param.name))?.factor ?? 1;
  const lr = factor === 1 ? rate : op.mul(rate, factor);
  const slots = new Map(
    optimizer
      .slots(own)
      .map(({ name, kind }) => [name, stateInput(op, `${param.name}.${name}`, kind === 'param' ? param.shape : [])]),
  );
  const slot = (name: string): Value => {
    const value = slots.get(name);
    if (value) return value;
    throw defect(optimizer.name, `reads the slot "${name}", which it does not declare`);
  };
  const next = scale
    ? scaleUpdate(op, { param, grad }, scale, (parts) => optimizer.update({ op, ...parts, lr, slot }, own))
    : optimizer.update({ op, param, grad, lr, slot }, own);
  const states: State[] = [{ current: param, next: typed(next.param, param), kind: 'parameter' }];
  for (const [name, current] of slots) {
    const value = next.slots[name];
    if (!value) throw defect(optimizer.name, `gives no next value for its slot "${name}"`);
    states.push({ current, next: typed(value, current), kind: 'slot' });
  }
  return states;
}

/**
 * The update of a scale, relative to its initial value: SGD takes the same step as without, and an optimizer whose steps have the size of
 * the learning rate moves the scale by that share. A step at most halves it, so it stays above 0.
 */
function scaleUpdate(
  op: Emitter,
  { param, grad }: { readonly param: Value; readonly grad: Value },
  initial: Tensor,
  update: (parts: { readonly param: Value; readonly grad: Value }) => Update,
): Update {
  const start = op.constant(initial);
  const next = update({ param: typed(op.div(param, start), param), grad: typed(op.div(grad, start), param) });
  const kept = op.max(op.mul(next.param, start), op.mul(param, 0.5));
  return { ...next, param: typed(kept, param) };
}

function typed(next: Value, current: Value): Value {
  next.dtype ??= current.dtype;
  next.shape ??= current.shape;
  return next;
}

function stateInput(op: Emitter, name: string, shape: Value['shape']): Value {
  const value = op.graph.define(name, 'float32', shape, RENAME_TENSOR);
  op.graph.inputs.push(value);
  return value;
}

/** g · min(1, max / (‖g‖₂ + 1e-6)), with one norm over all gradients. */
function clip(op: Emitter, gradients: ReadonlyMap<Value, Value>, max: number): ReadonlyMap<Value, Value> {
  // ReduceSumSquare adds in float32 without blocking: 3e-5 off over 100,000 elements, ReduceSum 5e-7.
  const squares = [...gradients.values()].map((gradient) => op.reduceSum(op.mul(gradient, gradient)));
  const [first, ...rest] = squares;
  if (!first) return gradients;
  const norm = op.sqrt(rest.length === 0 ? first : op.call('Sum', squares, { shape: [] }));
  const scale = op.min(op.div(max, op.add(norm, 1e-6)), 1);
  return new Map([...gradients].map(([param, gradient]) => [param, typed(op.mul(gradient, scale), param)]));
}

interface Accumulation {
  readonly means: ReadonlyMap<Value, Value>;
  readonly isDue: Value;
  readonly states: readonly State[];
}

const COUNTER = 'lossgraft.micro_batch';

/** Running means of gradients; on the last micro-batch `isDue` is true and they start again from zero. */
function accumulate(
  op: Emitter,
  gradients: ReadonlyMap<Value, Value>,
  count: number,
  mayOverflow: boolean,
): Accumulation {
  const counter = stateInput(op, COUNTER, []);
  const reached = op.add(counter, 1);
  const isDue = op.not(op.less(reached, count));
  const keep = op.cast(op.not(isDue), 'float32');
  const states: State[] = [{ current: counter, next: op.mul(reached, keep), kind: 'slot' }];
  const means = new Map<Value, Value>();
  for (const [param, gradient] of gradients) {
    const current = stateInput(op, `${param.name}.accumulated`, param.shape);
    const sum = typed(op.add(current, op.mul(gradient, 1 / count)), param);
    means.set(param, sum);
    // 0 times an infinite sum would be NaN for ever.
    const rest = mayOverflow ? op.where(isDue, 0, sum) : op.mul(sum, keep);
    states.push({ current, next: typed(rest, param), kind: 'slot' });
  }
  return { means, isDue, states };
}

/** The next value when a step is due, else the current one. */
function hold(op: Emitter, isDue: Value, { current, next }: State): Value {
  return typed(op.where(isDue, next, current), current);
}

function refuseBadFactors(
  { rateFactors, accumulate: count, clipNorm }: OptimizeRequest,
  params: readonly Value[],
): void {
  const unused = rateFactors?.find(({ pattern }) => !params.some(({ name }) => globRegex(pattern).test(name)));
  if (unused)
    throw badOption(
      'rate-factor',
      'a pattern that matches a trainable parameter',
      `"${unused.pattern}", which matches none`,
    );
  const negative = rateFactors?.find(({ factor }) => !Number.isFinite(factor) || factor < 0);
  if (negative) throw badOption('rateFactors', 'a factor of 0 or more', `${negative.factor} for "${negative.pattern}"`);
  if (count !== undefined && (!Number.isInteger(count) || count < 1))
    throw badOption('accumulate', 'a whole number of 1 or more', String(count));
  if (clipNorm !== undefined && !(clipNorm > 0)) throw badOption('clipNorm', 'a number above 0', String(clipNorm));
}

function badOption(option: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'option-range',
    where: `option ${option}`,
    expected,
    found,
    hint: 'Correct or omit it',
  });
}

function defect(optimizer: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'optimizer-slots',
    where: `optimizer ${optimizer}`,
    expected: 'the slots that it declares, each with a next value',
    found: `an update that ${found}`,
    hint: 'Correct the optimizer',
  });
}
