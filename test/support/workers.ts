import { toNumbers } from '../../src/numbers.ts';
import type { Session } from '../../src/runtime/session.ts';
import { elementCount, type Tensor, type TensorData } from '../../src/tensor.ts';
import type { Workers } from '../../src/trainGraph/workers.ts';

export type Tensors = Record<string, Tensor>;

/** How workers combine what they computed: a part of the manifest. */
export type Combined = Pick<Workers, 'outputs' | 'rowOffset'>;

/** What workers make together of a batch that is cut by rank. */
export async function workersTotals(
  gradients: Session,
  { outputs, rowOffset }: Combined,
  { state, batch, count }: { state: Tensors; batch: Tensors; count: number },
): Promise<Tensors> {
  const [first] = Object.values(batch);
  const size = first?.dims[0] ?? 0;
  const totals: Tensors = {};
  for (let worker = 0; worker < count; worker++) {
    const [from, to] = [worker, worker + 1].map((w) => Math.floor((w * size) / count)) as [number, number];
    if (from === to) continue;
    const offset = rowOffset === null ? {} : { [rowOffset]: integer(from) };
    const part = Object.fromEntries(Object.entries(batch).map(([name, tensor]) => [name, rowsOf(tensor, from, to)]));
    const found = await run(gradients, { ...state, ...part, ...offset });
    for (const { name, combine } of outputs) {
      const own = found[name] as Tensor;
      if (combine === 'same') totals[name] = own;
      else totals[name] = plus(totals[name], own, combine === 'sum' ? 1 : (to - from) / size);
    }
  }
  return totals;
}

/** The step that all workers take with it. */
export async function workersStep(
  apply: Session,
  { state, totals, rate }: { state: Tensors; totals: Tensors; rate: Tensor },
): Promise<Tensors> {
  const applied = await run(apply, { ...state, ...totals, learning_rate: rate });
  return nextOf(state, { ...totals, ...applied });
}

/** The same step by one process. */
export async function wholeStep(
  step: Session,
  { state, batch, rate }: { state: Tensors; batch: Tensors; rate: Tensor },
): Promise<Tensors> {
  return nextOf(state, await run(step, { ...state, ...batch, learning_rate: rate }));
}

export function rowsOf({ dtype, dims, data }: Tensor, from: number, to: number): Tensor {
  const size = elementCount(dims.slice(1));
  return { dtype, dims: [to - from, ...dims.slice(1)], data: data.slice(from * size, to * size) as TensorData };
}

function plus(total: Tensor | undefined, own: Tensor, weight: number): Tensor {
  const before = total ? toNumbers(total) : [];
  const data = Float32Array.from(toNumbers(own), (value, i) => (before[i] ?? 0) + Math.fround(weight) * value);
  return { dtype: 'float32', dims: own.dims, data };
}

function integer(value: number): Tensor {
  return { dtype: 'int64', dims: [], data: BigInt64Array.of(BigInt(value)) };
}

function run(session: Session, pool: Tensors): Promise<Tensors> {
  return session.run(Object.fromEntries(session.inputs.map(({ name }) => [name, pool[name] as Tensor])));
}

function nextOf(state: Tensors, results: Tensors): Tensors {
  return Object.fromEntries(Object.keys(state).map((name) => [name, results[`${name}.next`] as Tensor]));
}
