import type { Emitter, Value } from '../emit/index.ts';
import { LossgraftError, option } from '../errors.ts';
import type { Graph } from '../ir/graph.ts';
import { formatShape } from '../ir/print.ts';
import { isFloat } from '../tensor.ts';
import type { Features } from './features.ts';
import type { TrainedKind } from './logits.ts';
import { pickRows } from './tokenRows.ts';

/**
 * The logits in the losses' form: float32 [N, C]. One logit z per sample becomes a softmax over (0, z), [N, 2]: its probability of class
 * 1 is the sigmoid of z, and its cross-entropy is the binary one.
 */
export function classScores(op: Emitter, logits: Value, kind: TrainedKind): Value {
  if (kind === 'sigmoid-binary') {
    const z = op.reshape(toFloat32(op, logits), [-1, 1]);
    const zero = op.scalar(0, 'float32');
    const shape = [logits.shape?.[0], 2];
    return op.call('Pad', [z, op.vector([0, 1, 0, 0]), zero], { shape, label: 'two_classes' });
  }
  const flat =
    logits.shape !== undefined && logits.shape.length > 2
      ? op.call('Flatten', [logits], { shape: logits.shape.slice(0, 2) })
      : logits;
  return toFloat32(op, flat);
}

/** H = Σ|h| of each sample, float32 [N]; features of a convolution are first averaged over space, as in its head. */
export function featureNorm(op: Emitter, features: Features, isNorm: boolean): Value {
  const value = toFloat32(op, pickRows(op, features.value, features.tokenRows));
  if (isNorm) return op.reshape(value, [-1]);
  const spatial = (value.shape?.length ?? 2) - 2;
  const axes = Array.from({ length: spatial }, (_, i) => i + 2);
  const pooled = features.pool && spatial > 0 ? op.reduceMean(value, axes) : value;
  return op.reduceL1(
    pooled,
    Array.from({ length: (pooled.shape?.length ?? 2) - 1 }, (_, i) => i + 1),
  );
}

function toFloat32(op: Emitter, value: Value): Value {
  return value.dtype === 'float32' || value.dtype === undefined ? value : op.cast(value, 'float32');
}

/** Features (or their norms) named by the user. */
export function namedFeatures(graph: Graph, name: string, isNorm: boolean): Features {
  const value = graph.value(name, 'option features');
  const expected = isNorm ? 'float norms, [N] or [N, 1]' : 'float features, [N, D] or [N, D, 1, …]';
  const shape = value.shape;
  const trailing = shape?.slice(isNorm ? 1 : 2) ?? [];
  const fits = shape !== undefined && shape.length >= (isNorm ? 1 : 2) && trailing.every((dim) => dim === 1);
  if (fits && (value.dtype === undefined || isFloat(value.dtype))) {
    return {
      value,
      how: isNorm ? `norms named by ${option('features')}` : `named by ${option('features')}`,
      pool: false,
      tokenRows: [],
    };
  }
  throw new LossgraftError({
    code: 'not-features',
    where: `option features, tensor "${name}"`,
    expected,
    found: `${value.dtype ?? 'an unknown type'} ${formatShape(shape)}`,
    hint: 'Name the tensor that the last linear layer reads, pooled to one vector per sample',
  });
}
