import { blocked, expansions, gradients, losses, optimizers, webgpuExpansions } from '../graphs/index.ts';
import { machineLowering } from '../src/lower/machine.ts';
import type { Model } from '../src/model.ts';
import { release } from '../src/runtime/release.ts';
import { openSession, type Session } from '../src/runtime/session.ts';
import { elementCount, type Tensor } from '../src/tensor.ts';
import { TRAINING_SESSION } from '../src/thread/sessionOptions.ts';
import { chooseStepsPerRun } from '../src/trainer/groups.ts';
import { type TrainGraph, trainGraph } from '../src/trainGraph/trainGraph.ts';
import type { Job, Work } from './works.ts';

const WARM_UP = 2;

type Tensors = Readonly<Record<string, Tensor>>;

/** Runs of the training graph alone, in the forms that the trainer takes: milliseconds of a step. */
export async function timeSteps(model: Model, work: Work, job: Job): Promise<number[]> {
  const graph = await graphOf(model, work, job);
  const state = Object.fromEntries(graph.initialState());
  const shape = [job.batch, ...work.shape.slice(1)];
  const stateBytes = graph.report.states.reduce((sum, { shape: dims }) => sum + 4 * elementCount(dims), 0);
  const steps = work.way === 'loop' ? chooseStepsPerRun(stateBytes, 4 * elementCount(shape)) : undefined;
  const data = dataOf(work, shape, steps);
  const options = { ...TRAINING_SESSION, threads: job.threads, externalDataFolder: model.dir };
  return timed(await openSession(graph.sessionBytes(), options), {
    state,
    data,
    steps: steps ?? 1,
    rounds: job.rounds,
  });
}

/** As the trainer has it: in the forms of this machine's runtime. */
async function graphOf(model: Model, work: Work, job: Job): Promise<TrainGraph> {
  const { ce } = losses;
  const { sgd } = optimizers;
  if (!ce || !sgd) throw new Error('the catalogue has no ce or sgd');
  const calculus = { gradients, expansions, webgpuExpansions, blocked };
  const { block, why } = job.lower === 'auto' ? await machineLowering(calculus) : { block: null, why: 'asked for' };
  if (block === null) console.error(`plain forms: ${why}`);
  return trainGraph(model, {
    loss: ce,
    lossOptions: {},
    optimizer: sgd,
    optimizerOptions: { momentum: 0.9, weightDecay: 0, nesterov: false, dampening: 0 },
    trainable: work.trainable,
    batchNorm: work.batchNorm,
    form: work.way === 'loop' ? 'loop' : 'step',
    calculus,
    ...(block === null ? {} : { lower: { block, batch: job.batch } }),
  });
}

function dataOf(work: Work, shape: readonly number[], steps: number | undefined): Tensors {
  const lead = steps === undefined ? [] : [steps];
  const [batch = 1] = shape;
  const x = new Float32Array(elementCount([...lead, ...shape]));
  for (let i = 0; i < x.length; i++) x[i] = Math.sin(i);
  const labels = new BigInt64Array((steps ?? 1) * batch);
  for (let i = 0; i < labels.length; i++) labels[i] = BigInt(i % work.classes);
  const rates = new Float32Array(steps ?? 1).fill(0.01);
  return {
    x: { dtype: 'float32', dims: [...lead, ...shape], data: x },
    labels: { dtype: 'int64', dims: [...lead, batch], data: labels },
    learning_rate: { dtype: 'float32', dims: lead, data: rates },
  };
}

interface Runs {
  readonly state: Tensors;
  readonly data: Tensors;
  /** In each run. */
  readonly steps: number;
  readonly rounds: number;
}

async function timed(session: Session, { state: start, data, steps, rounds }: Runs): Promise<number[]> {
  let state = start;
  const ms: number[] = [];
  for (let run = 0; run < WARM_UP + Math.max(1, (rounds - WARM_UP) / steps); run++) {
    const begin = performance.now();
    const results = await session.run({ ...state, ...data });
    ms.push((performance.now() - begin) / steps);
    const next = Object.entries(state).map(([key, tensor]) => [key, results[`${key}.next`] ?? tensor] as const);
    release(Object.values(state));
    state = Object.fromEntries(next);
  }
  return ms.slice(WARM_UP);
}
