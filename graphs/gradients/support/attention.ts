import type { GradientContext } from '../../../src/contract.ts';
import { floatAttribute, type Pen, unsupported, type Value } from '../../../src/emit/index.ts';
import { type Layout, layoutOf } from './attentionLayout.ts';
import { attentionMask, type Mask } from './attentionMask.ts';

/**
 * Y = P V with P = softmax(c tanh(s Q Kᵀ / c) + mask). The forward pass runs once more in plain operators, so that P is kept, and a training
 * step runs these alone. With dS = P (dP − Σ P dP) and dP = dY Vᵀ: dV = Pᵀ dY, dQ = s dS K, dK = s dSᵀ Q, and the mask's gradient is dS.
 * A query that may look nowhere gives zeros, and no gradient.
 */
export function attentionGradients(context: GradientContext): (Value | undefined)[] {
  refuseForms(context);
  const { op, inputs, dy, ahead, replaces, wants } = context;
  const pass = ahead(() => forwardPass(context));
  ahead(() => replaces(0, pass.y));
  const { layout, q, k, v, p, mask, scale, slope } = pass;
  const dY = alive(op, layout.split(op, dy, layout.queryHeads, layout.queries), mask);
  const flow = layout.grouped(op, dY, layout.headSizes[1]);
  const dP = op.matMul(flow, swapped(op, v));
  const inner = op.mul(p, op.sub(dP, op.reduceSum(op.mul(p, dP), [3], true)));
  const dS = slope ? op.mul(inner, slope) : inner;
  const dQ = layout.ungrouped(op, op.mul(op.matMul(dS, k), scale), layout.headSizes[0]);
  const joined = (x: Value): Value => layout.join(op, x);
  return [
    joined(dQ),
    joined(op.matMul(swapped(op, dS), q)),
    joined(op.matMul(swapped(op, p), flow)),
    ...(wants(3) ? [layout.ungrouped(op, inner, layout.keys)] : []),
  ].slice(0, inputs.length);
}

function refuseForms({ node, inputs, flow }: GradientContext): void {
  const found =
    inputs[4] || inputs[5] ? 'past keys and values' : flow(1) || flow(2) ? 'present keys or values' : undefined;
  const what = found ?? (flow(3) && 'scores');
  if (what)
    throw unsupported(
      node,
      'an Attention whose output Y alone is read, without a cache',
      `${what} on the way to the loss`,
    );
}

interface Pass {
  readonly layout: Layout;
  /** Scaled queries, keys, values and probabilities, [N, key heads, …]: the queries of the heads that share keys are rows of one matrix. */
  readonly q: Value;
  readonly k: Value;
  readonly v: Value;
  readonly p: Value;
  readonly mask: Mask | undefined;
  readonly scale: Value | number;
  /** 1 − tanh² of the capped scores. */
  readonly slope: Value | undefined;
  readonly y: Value;
}

function forwardPass(context: GradientContext): Pass {
  const { op, node, input } = context;
  const layout = layoutOf(context);
  const scale = scaleOf(context, layout);
  const queries = layout.split(op, input(0), layout.queryHeads, layout.queries);
  const q = layout.grouped(op, op.mul(queries, scale), layout.headSizes[0]);
  const k = layout.split(op, input(1), layout.keyHeads, layout.keys);
  const v = layout.split(op, input(2), layout.keyHeads, layout.keys);
  const cap = floatAttribute(node, 'softcap', 0);
  const scores = op.matMul(q, swapped(op, k));
  const bent = cap === 0 ? undefined : op.tanh(op.div(scores, cap));
  const mask = attentionMask(context, layout);
  const capped = bent ? op.mul(bent, cap) : scores;
  const masked = mask ? op.add(layout.ungrouped(op, capped, layout.keys), mask.added) : capped;
  const softmax = op.softmax(masked, 3);
  const p = mask ? layout.grouped(op, softmax, layout.keys) : softmax;
  const y = alive(op, layout.ungrouped(op, op.matMul(p, v), layout.headSizes[1]), mask);
  const slope = bent && op.sub(1, op.mul(bent, bent));
  return { layout, q, k, v, p, mask, scale, slope, y: layout.join(op, y) };
}

/** Zeros for the queries that may look nowhere. */
function alive(op: Pen, x: Value, mask: Mask | undefined): Value {
  if (!mask?.alive) return x;
  const y = op.mul(x, mask.alive);
  y.shape = x.shape;
  return y;
}

/** 1/√D where there is no `scale`. */
function scaleOf({ op, node, input }: GradientContext, { headSizes: [size] }: Layout): Value | number {
  if (node.attributes.has('scale')) return floatAttribute(node, 'scale', 1);
  if (typeof size === 'number') return 1 / Math.sqrt(size);
  return op.reciprocal(op.sqrt(op.cast(size, input(0).dtype ?? 'float32')));
}

function swapped(op: Pen, x: Value): Value {
  return op.transpose(x, [0, 1, 3, 2]);
}
