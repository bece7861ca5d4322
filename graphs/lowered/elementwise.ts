import type { BlockedContext, BlockedRule } from '../../src/contract.ts';
import { float, type Node, sameShape, type Value } from '../../src/emit/index.ts';
import { affine, withActivation, withSum } from './support/calls.ts';
import { paddedVector, roundUp } from './support/filters.ts';

/** An elementwise operator that maps 0 to a finite number: it runs on blocks unchanged. */
const elementByElement: BlockedRule = (context) => {
  const { op, node, input } = context;
  const x = input(0);
  if (!context.isBlocked(x) || node.inputs.length > 1) return undefined;
  const attributes = Object.fromEntries(node.attributes) as Record<string, ReturnType<typeof float>>;
  return [{ blocked: op.call(node.opType, [context.blocked(x)], { attributes }) }];
};

export const Abs: BlockedRule = elementByElement;
export const Neg: BlockedRule = elementByElement;
export const Identity: BlockedRule = elementByElement;
export const Sigmoid: BlockedRule = elementByElement;
export const Tanh: BlockedRule = elementByElement;
export const HardSigmoid: BlockedRule = elementByElement;
export const HardSwish: BlockedRule = elementByElement;
export const LeakyRelu: BlockedRule = elementByElement;

/** Fused into the Conv that makes x, if nothing else reads its result. */
export const Relu: BlockedRule = (context) => {
  const x = context.input(0);
  if (!context.isBlocked(x)) return undefined;
  const blocked = context.blocked(x);
  const fused = context.readers(x) === 1 ? withActivation(context, blocked, 'Relu') : undefined;
  return [{ blocked: fused ?? context.op.relu(blocked) }];
};

export const Clip: BlockedRule = (context) => {
  const { op, node, input, numberOf } = context;
  const [, low, high] = node.inputs;
  const x = input(0);
  const bounds = [low, high].map((bound) => bound && numberOf(bound));
  if (!context.isBlocked(x) || bounds.some((bound) => bound === undefined)) return undefined;
  const blocked = context.blocked(x);
  const params = bounds.map(Number);
  const fused = context.readers(x) === 1 ? withActivation(context, blocked, 'Clip', params) : undefined;
  return [{ blocked: fused ?? op.call('Clip', [blocked, low, high]) }];
};

export const Add: BlockedRule = (context) => {
  const [a, b] = [context.input(0), context.input(1)];
  const vector = withVector(context, a, b) ?? withVector(context, b, a);
  return pair(context, a, b) ?? vector ?? withPlanes(context, a, b) ?? withPlanes(context, b, a) ?? withNumber(context);
};
export const Mul: BlockedRule = Add;
export const Sub: BlockedRule = (context) => pair(context, context.input(0), context.input(1)) ?? withNumber(context);

/** Two operands of the same shape, at least one of them already in blocks. */
function pair(context: BlockedContext, a: Value, b: Value): ReturnType<BlockedRule> {
  const { op, node } = context;
  if (!sameDims(context, a, b) || !(context.isBlocked(a) || context.isBlocked(b))) return undefined;
  if (!context.canBlock(a) || !context.canBlock(b)) return undefined;
  const sum = node.opType === 'Add' ? summed(context, a, b) : undefined;
  return [{ blocked: sum ?? op.call(node.opType, [context.blocked(a), context.blocked(b)]) }];
}

/** A sum of gradients is fused into the Conv that makes the last one. Nothing reads the other one later, so the Conv adds to it in place. */
function summed(context: BlockedContext, a: Value, b: Value): Value | undefined {
  if (a === b) return undefined;
  for (const [made, other] of [
    [b, a],
    [a, b],
  ] as const) {
    if (context.readers(made) !== 1 || context.readers(other) !== 1) continue;
    const fused = withSum(context, context.blocked(made), context.blocked(other));
    if (fused) return fused;
  }
  return undefined;
}

function sameDims({ dims }: BlockedContext, a: Value, b: Value): boolean {
  const [left, right] = [dims(a), dims(b)];
  return left !== undefined && right !== undefined && sameShape(left, right);
}

/** A number per channel, [C, 1, 1]. */
function withVector(context: BlockedContext, x: Value, vector: Value): ReturnType<BlockedRule> {
  const { op, node, block, dims } = context;
  const channels = dims(x)?.[1];
  if (channels === undefined || !context.isBlocked(x) || !isPerChannel(vector, channels)) return undefined;
  const own = paddedVector(op, vector, channels, block);
  if (node.opType === 'Mul') return [{ blocked: affine(context, context.blocked(x), own) }];
  const up = roundUp(channels, block);
  const ones = op.constant({ dtype: 'float32', dims: [up], data: new Float32Array(up).fill(1) });
  return [{ blocked: affine(context, context.blocked(x), ones, own) }];
}

function isPerChannel({ shape, dtype }: Value, channels: number): boolean {
  if (dtype !== 'float32' || shape === undefined || shape.length < 3 || shape.length > 4 || channels === 1)
    return false;
  return (
    shape.at(-3) === channels && shape.at(-2) === 1 && shape.at(-1) === 1 && (shape.length === 3 || shape[0] === 1)
  );
}

/** A number per image and channel, [N, C, 1, 1], as in squeeze-and-excite. */
function withPlanes(context: BlockedContext, x: Value, factors: Value): ReturnType<BlockedRule> {
  const { op, node, block, dims } = context;
  const [whole, planes] = [dims(x), dims(factors)];
  if (!whole || !planes || !context.isBlocked(x) || !context.canBlock(factors)) return undefined;
  const [n, channels, h, w] = whole;
  if (planes[0] !== n || planes[1] !== channels || planes[2] * planes[3] !== 1) return undefined;
  const up = roundUp(channels, block);
  const parts = (value: Value, area: number): Value => op.reshape(value, [-1, up / block, area, block]);
  const product = op.call(node.opType, [parts(context.blocked(x), h * w), parts(context.blocked(factors), 1)]);
  return [{ blocked: op.reshape(product, [-1, up, h, w]) }];
}

/** A scalar on either side. */
function withNumber(context: BlockedContext): ReturnType<BlockedRule> {
  const { op, node } = context;
  const isNumber = (value: Value): boolean => value.shape?.every((dim) => dim === 1) ?? false;
  const forms = node.inputs.map((value) => {
    if (value === undefined) return undefined;
    if (context.isBlocked(value)) return context.blocked(value);
    return isNumber(value) && value.shape && value.shape.length < 4 ? value : undefined;
  });
  const blocked = node.inputs.filter((value) => context.isBlocked(value)).length;
  if (blocked !== 1 || forms.includes(undefined)) return undefined;
  return [{ blocked: op.call(node.opType, forms, { dtype: 'float32' }) }];
}

/** A mask [y > low], [y < high] or both, as the gradients of Relu and Clip write it: a steep HardSigmoid, which is vectorised. */
export const Cast: BlockedRule = (context) => {
  const { op, node, input } = context;
  if (node.outputs[0]?.dtype !== 'float32') return undefined;
  const condition = input(0).producer;
  const parts = condition?.opType === 'And' ? condition.inputs.map((part) => part?.producer) : [condition];
  const distances = parts.map((part) => part && distance(context, part));
  const [first, second] = distances;
  if (!first || distances.includes(undefined) || (second && second.isBlocked !== first.isBlocked)) return undefined;
  const mask = steep(op, second ? op.mul(steep(op, first.value), second.value) : first.value);
  return [first.isBlocked ? { blocked: mask } : { plain: mask }];
};

/** A value that is above 0 if the comparison with a finite number holds. */
function distance(
  context: BlockedContext,
  { opType, inputs }: Node,
): { readonly value: Value; readonly isBlocked: boolean } | undefined {
  const { op, numberOf } = context;
  const [y, bound] = inputs;
  const limit = bound && numberOf(bound);
  if (y?.dtype !== 'float32' || limit === undefined || !Number.isFinite(limit)) return undefined;
  const isBlocked = context.isBlocked(y);
  const form = isBlocked ? context.blocked(y) : context.plain(y);
  if (opType === 'Greater') return { value: limit === 0 ? form : op.sub(form, limit), isBlocked };
  return opType === 'Less' ? { value: op.sub(limit, form), isBlocked } : undefined;
}

/** 1 if x > 0, otherwise 0; the smallest subnormal numbers count as 0. */
function steep(op: BlockedContext['op'], x: Value): Value {
  return op.call('HardSigmoid', [x], { attributes: { alpha: float(3.4e38), beta: float(0) }, shape: x.shape });
}
