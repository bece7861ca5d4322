import { attribute, floatAttribute, int, type Pen, stringAttribute, type Value } from '../../emit/index.ts';
import type { NodeForm } from '../adapt.ts';

/** Steps that a sequence may have: each becomes nodes of its own. */
const MOST_STEPS = 1000;

type Activation = (op: Pen, x: Value) => Value;

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  tanh: (op, x) => op.tanh(x),
  relu: (op, x) => op.relu(x),
  sigmoid: (op, x) => op.sigmoid(x),
};

/** h ← f(x Wᵀ + h Rᵀ + b), step by step: there is a kernel for LSTM and GRU alone. Of sequences that are as long as they are said to be. */
export const RNN: NodeForm = ({ op, node, input }) => {
  const [x, w, r] = [input(0), input(1), input(2)];
  const [, , , bias, lengths, initial] = node.inputs;
  const steps = x.shape?.[0];
  const reversals = REVERSALS[stringAttribute(node, 'direction', 'forward')];
  const named = attribute(node, 'activations', 'strings') ?? [];
  const activations = (reversals ?? []).map((_, d) => ACTIVATIONS[(named[d] ?? 'Tanh').toLowerCase()]);
  const isKnown = reversals && typeof steps === 'number' && steps >= 1 && steps <= MOST_STEPS;
  if (!isKnown || lengths || floatAttribute(node, 'clip', 0) > 0) return undefined;
  const directions: Pass[] = [];
  for (const [d, isReverse] of reversals.entries()) {
    const apply = activations[d];
    if (!apply) return undefined;
    const own = (value: Value): Value => part(op, value, d);
    const products = op.matMul(x, op.transpose(own(w), [1, 0]));
    const given = bias ? op.add(products, summedBias(op, own(bias))) : products;
    directions.push(pass(op, { given, steps, r: own(r), h: initial && own(initial), apply, isReverse }));
  }
  const y = directions.map((each) => op.unsqueeze(joined(op, each.all), [1]));
  return [
    op.concat(y, 1),
    joined(
      op,
      directions.map(({ last }) => last),
    ),
  ];
};

const REVERSALS: Readonly<Record<string, readonly boolean[] | undefined>> = {
  forward: [false],
  reverse: [true],
  bidirectional: [false, true],
};

interface Steps {
  /** The input's products, [T, N, H]. */
  readonly given: Value;
  readonly steps: number;
  readonly r: Value;
  /** The state at the start; `undefined` for zeros. */
  readonly h: Value | undefined;
  readonly apply: Activation;
  readonly isReverse: boolean;
}

interface Pass {
  /** In the order of the sequence, [N, H] each. */
  readonly all: readonly Value[];
  readonly last: Value;
}

/** One Gemm a step, which reads z too: ONNX Runtime would take a product of the weights and of zeros made from a length to the CPU. */
function pass(op: Pen, { given, steps, r, h, apply, isReverse }: Steps): Pass {
  const all: Value[] = [];
  let last = h;
  for (let step = 0; step < steps; step++) {
    const z = part(op, given, isReverse ? steps - 1 - step : step);
    last = apply(op, last ? op.call('Gemm', [last, r, z], { attributes: { transB: int(1) }, shape: z.shape }) : z);
    all.push(last);
  }
  return { all: isReverse ? all.reverse() : all, last: last ?? given };
}

/** Element `i` along the first axis. */
function part(op: Pen, value: Value, i: number): Value {
  return op.squeeze(op.slice(value, { axes: [0], starts: [i], ends: [i + 1] }), [0]);
}

function joined(op: Pen, parts: readonly Value[]): Value {
  return op.concat(
    parts.map((value) => op.unsqueeze(value, [0])),
    0,
  );
}

/** The input's and the state's, [2H], as [H]. */
function summedBias(op: Pen, bias: Value): Value {
  return op.reduceSum(op.reshape(bias, [2, -1]), [0]);
}
