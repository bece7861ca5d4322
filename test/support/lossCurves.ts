import { expansions, gradients, losses, optimizers, webgpuExpansions } from '../../graphs/index.ts';
import { random } from '../../src/data/random.ts';
import { open } from '../../src/model.ts';
import { openSession, type Port, type Session } from '../../src/runtime/session.ts';
import { elementCount, type Tensor } from '../../src/tensor.ts';
import { sessionGraph } from '../../src/trainGraph/trainGraph.ts';
import type { Precision } from '../../src/transform/halfPrecision.ts';

/** How a network is trained for its loss curve. */
export interface Course {
  readonly model: string;
  readonly classes: number;
  readonly steps: number;
  readonly rate: number;
  readonly batch?: number;
  readonly batchNorm?: 'train' | 'frozen';
}

export interface Curve {
  readonly losses: readonly number[];
  readonly skipped: number;
  readonly scale: number | undefined;
}

/**
 * Losses of so many steps of SGD with momentum on the CPU, where half precision is rounded after each operator. Each batch is new: a pattern of
 * each class with noise, and a label in five at random, so that the loss does not vanish.
 */
export async function lossCurve(course: Course, precision: Precision): Promise<Curve> {
  const model = await open(course.model);
  const graph = await sessionGraph(model, {
    loss: losses.ce,
    lossOptions: {},
    calculus: { gradients, expansions, webgpuExpansions, blocked: {} },
    optimizer: optimizers.sgd,
    optimizerOptions: { momentum: 0.9 },
    trainable: 'all',
    batchNorm: course.batchNorm ?? 'frozen',
    form: 'step',
    precision,
    roundsHalves: true,
  });
  const session = await openSession(graph.sessionBytes(), { name: course.model });
  try {
    return await walk(course, session, graph.initialState());
  } finally {
    await session.close();
    model.close();
  }
}

async function walk(course: Course, session: Session, initial: ReadonlyMap<string, Tensor>): Promise<Curve> {
  let state = Object.fromEntries(initial);
  const found: number[] = [];
  const data = session.inputs.filter(({ name }) => !(name in state) && name !== 'labels' && name !== 'learning_rate');
  for (let step = 0; step < course.steps; step++) {
    const rate: Tensor = { dtype: 'float32', dims: [], data: Float32Array.of(course.rate) };
    const results = await session.run({ ...state, ...batchOf(course, data, step), learning_rate: rate });
    found.push(Number(results.loss?.data[0]));
    state = Object.fromEntries(Object.entries(state).map(([name, old]) => [name, results[`${name}.next`] ?? old]));
  }
  const numberOf = (name: string): number | undefined => state[name] && Number(state[name].data[0]);
  return { losses: found, skipped: numberOf('lossgraft.skipped_steps') ?? 0, scale: numberOf('lossgraft.loss_scale') };
}

function batchOf({ classes, batch = 16 }: Course, ports: readonly Port[], step: number): Record<string, Tensor> {
  const { next } = random(7, step);
  const uniform = (): number => next() / 2 ** 32;
  const classOf = Array.from({ length: batch }, () => Math.floor(uniform() * classes));
  const labels = classOf.map((own) => (uniform() < 0.2 ? Math.floor(uniform() * classes) : own));
  const feeds: Record<string, Tensor> = {
    labels: { dtype: 'int64', dims: [batch], data: BigInt64Array.from(labels, BigInt) },
  };
  for (const { name, dtype, shape } of ports) {
    const rest = (shape ?? []).slice(1).map((dim) => (typeof dim === 'number' ? dim : 8));
    const size = elementCount(rest);
    const patterns = Array.from({ length: classes }, (_, k) => patternOf(k, size));
    const at = (i: number): number => patterns[classOf[Math.floor(i / size)] ?? 0]?.[i % size] ?? 0;
    const dims = [batch, ...rest];
    if (dtype === 'int64') {
      const tokenAt = (i: number): bigint => BigInt(Math.floor((uniform() < 0.3 ? uniform() : at(i)) * 16));
      feeds[name] = { dtype, dims, data: BigInt64Array.from({ length: batch * size }, (_, i) => tokenAt(i)) };
    } else {
      const noise = (): number => uniform() + uniform() + uniform() - 1.5;
      const data = Float32Array.from({ length: batch * size }, (_, i) => 2 * at(i) - 1 + noise());
      feeds[name] = { dtype: 'float32', dims, data };
    }
  }
  return feeds;
}

function patternOf(index: number, size: number): number[] {
  const { next } = random(11, index);
  return Array.from({ length: size }, () => next() / 2 ** 32);
}

/** The largest difference of the means of ten losses each, relative to float32's. */
export function largestDeviation(float32: readonly number[], other: readonly number[], window = 10): number {
  const means = (losses: readonly number[]): number[] =>
    Array.from({ length: Math.floor(losses.length / window) }, (_, i) => {
      const part = losses.slice(i * window, (i + 1) * window);
      return part.reduce((sum, loss) => sum + loss, 0) / window;
    });
  const expected = means(float32);
  return Math.max(...means(other).map((mean, i) => Math.abs(mean / (expected[i] ?? Number.NaN) - 1)));
}
