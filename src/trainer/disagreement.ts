import { LossgraftError } from '../errors.ts';
import { release } from '../runtime/release.ts';
import { openSession, type Port, type Session } from '../runtime/session.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import type { TrainGraph } from '../trainGraph/trainGraph.ts';

/** Rounding changes a loss by 1e-6 and a step by 1e-3; a wrong layout changes both completely. */
const LOSS_TOLERANCE = 1e-4;
const STEP_TOLERANCE = 0.02;

/**
 * Takes one step on a batch of noise in both forms.
 *
 * @param graphs in the loop form.
 * @returns why the lowered graph cannot be trusted, or `undefined`.
 */
export async function disagreement(
  { plain, lowered }: { readonly plain: TrainGraph; readonly lowered: TrainGraph },
  {
    batch,
    externalDataFolder,
    loss,
  }: { readonly batch: number; readonly externalDataFolder: string; readonly loss: string },
): Promise<string | undefined> {
  const state = Object.fromEntries(plain.initialState());
  const steps: Stepped[] = [];
  for (const graph of [plain, lowered]) {
    const session = await openSession(graph.sessionBytes(), { externalDataFolder, memoryPattern: false });
    try {
      steps.push(await stepOnNoise(session, state, batch, loss));
    } catch (error) {
      if (!(error instanceof LossgraftError)) throw error;
      return `${graph === plain ? 'as little as the plain ones: ' : ''}an error: ${error.problem.found.slice(0, 200)}`;
    } finally {
      await session.close();
    }
  }
  const [expected, found] = steps;
  if (!expected || !found) throw new Error('two graphs take two steps');
  const ofLoss = Math.abs(found.loss - expected.loss) / Math.max(1e-3, Math.abs(expected.loss));
  if (!(ofLoss <= LOSS_TOLERANCE)) return `a loss of ${found.loss} in place of ${expected.loss}`;
  const [apart, moved] = [distance(expected.state, found.state), distance(expected.state, state)];
  for (const tensors of [state, expected.state, found.state]) release(Object.values(tensors));
  return apart <= STEP_TOLERANCE * moved
    ? undefined
    : `a step that is ${(apart / moved).toPrecision(2)} of its length away`;
}

interface Stepped {
  readonly loss: number;
  readonly state: Readonly<Record<string, Tensor>>;
}

async function stepOnNoise(
  session: Session,
  state: Readonly<Record<string, Tensor>>,
  batch: number,
  loss: string,
): Promise<Stepped> {
  const data = session.inputs.filter(({ name }) => !(name in state));
  const results = await session.run({
    ...state,
    ...Object.fromEntries(data.map((port) => [port.name, noise(port, batch)])),
  });
  const next = Object.keys(state).flatMap((name) => {
    const tensor = results[`${name}.next`];
    return tensor ? [[name, tensor] as const] : [];
  });
  return { loss: Number(results[loss]?.data[0]), state: Object.fromEntries(next) };
}

/** One step on a batch: noise for floats, zeros for the rest, class 0, and a small learning rate. */
function noise({ dtype = 'float32', shape = [] }: Port, batch: number): Tensor {
  const dims = shape.map((dim, i) => (typeof dim === 'number' ? dim : i === 0 ? 1 : batch));
  const count = elementCount(dims);
  if (dtype === 'int64') return { dtype, dims, data: new BigInt64Array(count) };
  if (dtype === 'int32') return { dtype, dims, data: new Int32Array(count) };
  if (dtype === 'bool' || dtype === 'uint8') return { dtype, dims, data: new Uint8Array(count) };
  if (dtype === 'float64') return { dtype, dims, data: new Float64Array(count) };
  if (dtype !== 'float32') return { dtype, dims, data: new Uint16Array(count) };
  if (dims.length <= 1) return { dtype, dims, data: new Float32Array(count).fill(0.01) };
  return { dtype, dims, data: Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898) * 1.5) };
}

/** The Euclidean norm over all states together: those whose gradients are only rounding count little. */
function distance(a: Readonly<Record<string, Tensor>>, b: Readonly<Record<string, Tensor>>): number {
  let sum = 0;
  for (const [name, { data }] of Object.entries(a)) {
    const other = b[name]?.data;
    for (let i = 0; i < data.length; i++) sum += (Number(data[i]) - Number(other?.[i])) ** 2;
  }
  return Math.sqrt(sum);
}
