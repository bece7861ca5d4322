import { attribute, float, type Node, type Pen, unsupported, type Value } from '../../../../src/emit/index.ts';
import { isAbove, isEqual } from '../masks.ts';

/** An activation of a recurrent operator, with its derivative in terms of its output. */
export interface Activation {
  readonly apply: (op: Pen, x: Value) => Value;
  /** f′(x) as a function of y = f(x). */
  readonly slope: (op: Pen, y: Value) => Value;
}

interface Shape {
  readonly alpha: number;
  readonly beta: number;
}

interface Kind {
  /** Defaults of its parameters; NaN if ONNX Runtime's kernels use 0, which differs from ONNX's default. */
  readonly alpha?: number;
  readonly beta?: number;
  readonly of: (shape: Shape) => Activation;
}

const fixed = (activation: Activation): Kind => ({ of: () => activation });
const one = (op: Pen, y: Value): Value => op.expandLike(op.scalar(1, y.dtype ?? 'float32'), y);

/** ONNX compares their names without regard to case. */
const KINDS: Readonly<Record<string, Kind>> = {
  sigmoid: fixed({ apply: (op, x) => op.sigmoid(x), slope: (op, y) => op.mul(y, op.sub(1, y)) }),
  tanh: fixed({ apply: (op, x) => op.tanh(x), slope: (op, y) => op.sub(1, op.mul(y, y)) }),
  relu: fixed({ apply: (op, x) => op.relu(x), slope: (op, y) => isAbove(op, y, 0) }),
  softplus: fixed({ apply: (op, x) => op.softplus(x), slope: (op, y) => op.sub(1, op.exp(op.neg(y))) }),
  softsign: fixed({
    apply: (op, x) => op.call('Softsign', [x], { shape: x.shape }),
    slope: (op, y) => {
      const rest = op.sub(1, op.abs(y));
      return op.mul(rest, rest);
    },
  }),
  affine: {
    alpha: Number.NaN,
    beta: Number.NaN,
    of: ({ alpha, beta }) => ({
      apply: (op, x) => op.add(op.mul(x, alpha), beta),
      slope: (op, y) => op.mul(one(op, y), alpha),
    }),
  },
  leakyrelu: {
    alpha: 0.01,
    of: ({ alpha }) => ({
      apply: (op, x) => withAlpha(op, 'LeakyRelu', x, alpha),
      slope: (op, y) => op.add(op.mul(isAbove(op, y, 0), 1 - alpha), alpha),
    }),
  },
  thresholdedrelu: {
    alpha: Number.NaN,
    of: ({ alpha }) => ({
      apply: (op, x) => op.mul(x, isAbove(op, x, alpha)),
      slope: (op, y) => op.sub(1, isEqual(op, y, 0)),
    }),
  },
  scaledtanh: {
    alpha: Number.NaN,
    beta: Number.NaN,
    of: ({ alpha, beta }) => ({
      apply: (op, x) => op.mul(op.tanh(op.mul(x, beta)), alpha),
      slope: (op, y) => op.sub(alpha * beta, op.mul(op.mul(y, y), beta / alpha)),
    }),
  },
  hardsigmoid: {
    alpha: 0.2,
    beta: 0.5,
    of: ({ alpha, beta }) => ({
      apply: (op, x) => op.min(op.max(op.add(op.mul(x, alpha), beta), 0), 1),
      slope: (op, y) => op.mul(isAbove(op, op.mul(y, op.sub(1, y)), 0), alpha),
    }),
  },
  elu: {
    alpha: 1,
    of: ({ alpha }) => ({
      apply: (op, x) => withAlpha(op, 'Elu', x, alpha),
      slope: (op, y) => op.add(op.min(y, 0), op.add(op.mul(isAbove(op, y, 0), 1 - alpha), alpha)),
    }),
  },
};

function withAlpha(op: Pen, opType: string, x: Value, alpha: number): Value {
  return op.call(opType, [x], { attributes: { alpha: float(alpha) }, shape: x.shape });
}

/**
 * The activations of a recurrent node, direction by direction. Each takes the next number of `activation_alpha` and `activation_beta` if
 * it has such a parameter.
 */
export function activationsOf(node: Node, defaults: readonly string[], directions: number): Activation[] {
  const names = attribute(node, 'activations', 'strings') ?? [];
  const wanted = names.length > 0 ? names : new Array<readonly string[]>(directions).fill(defaults).flat();
  const alphas = [...(attribute(node, 'activation_alpha', 'floats') ?? [])];
  const betas = [...(attribute(node, 'activation_beta', 'floats') ?? [])];
  if (wanted.length !== defaults.length * directions) {
    throw unsupported(node, `${defaults.length * directions} activations`, `${wanted.length}`);
  }
  return wanted.map((name) => {
    const kind = KINDS[name.toLowerCase()];
    if (!kind) throw unsupported(node, `one of the activations ${Object.keys(KINDS).join(', ')}`, name);
    const alpha = kind.alpha === undefined ? 0 : (alphas.shift() ?? kind.alpha);
    const beta = kind.beta === undefined ? 0 : (betas.shift() ?? kind.beta);
    if (!Number.isNaN(alpha + beta)) return kind.of({ alpha, beta });
    throw unsupported(node, `activation_alpha and activation_beta for ${name}, as far as it has them`, 'none');
  });
}
