import type * as Ort from 'onnxruntime-web';
import {
  augmentImages,
  Collector,
  DEFAULT_SCHEDULE,
  type Metrics,
  metricsOf,
  permutation,
  rateAt,
  type Tensor,
  tunedBytes,
} from '../../src/browser.ts';
import type { FloatTensor } from './safetensors.ts';
import type { Samples, Task } from './task.ts';

/** onnxruntime-web or onnxruntime-node: their classes are the same. */
export type Runtime = Pick<typeof Ort, 'InferenceSession' | 'Tensor'>;

/** An epoch's end; epoch 0 is the model before training. */
export interface Epoch {
  readonly epoch: number;
  /** Of each step. */
  readonly losses: readonly number[];
  /** Of all steps, without the judgement. */
  readonly milliseconds: number;
  readonly test: Metrics;
  /** The model with the weights of now. */
  readonly tuned: Uint8Array<ArrayBuffer>;
}

type State = ReadonlyMap<string, FloatTensor>;

/** Trains, and gives an account after every epoch. What is drawn at random is a function of the seed, the epoch and the row alone. */
export async function* fineTune(ort: Runtime, task: Task): AsyncGenerator<Epoch> {
  const { train, plan } = task;
  const { epochs, learningRate: rate } = plan;
  const schedule = { ...DEFAULT_SCHEDULE, epochs, rate, kind: 'cosine', warmup: 1 } as const;
  const stepsPerEpoch = Math.ceil(train.labels.length / plan.batchSize);
  const session = await ort.InferenceSession.create(task.step);
  let state: State = task.state;
  try {
    yield { epoch: 0, losses: [], milliseconds: 0, ...(await judge(ort, task, state)) };
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const order = permutation(train.labels.length, plan.seed, epoch);
      const losses: number[] = [];
      const start = performance.now();
      for (let i = 0; i < stepsPerEpoch; i++) {
        const rows = order.subarray(i * plan.batchSize, (i + 1) * plan.batchSize);
        const batch = pick(train, rows);
        const images = augmentImages(batch.images, plan, { seed: plan.seed, epoch, rows });
        const learningRate = rateAt(schedule, { epoch: epoch - 1, step: i, stepsPerEpoch });
        const { loss, next } = await step(ort, session, state, { ...batch, images }, learningRate);
        losses.push(loss);
        state = next;
      }
      const milliseconds = performance.now() - start;
      yield { epoch, losses, milliseconds, ...(await judge(ort, task, state)) };
    }
  } finally {
    await session.release();
  }
}

interface Batch {
  readonly images: Tensor;
  readonly labels: BigInt64Array;
}

/** One run of the training graph: each state goes in under its name and comes out as `<name>.next`. */
async function step(
  ort: Runtime,
  session: Ort.InferenceSession,
  state: State,
  { images, labels }: Batch,
  learningRate: number,
): Promise<{ loss: number; next: State }> {
  const { inputNames } = session;
  const own = inputNames.find((name) => !state.has(name) && name !== 'labels' && name !== 'learning_rate') ?? '';
  const feeds: Record<string, Ort.Tensor> = {
    [own]: floatTensor(ort, images),
    labels: new ort.Tensor('int64', labels, [labels.length]),
    learning_rate: new ort.Tensor('float32', [learningRate], []),
  };
  for (const [name, tensor] of state) feeds[name] = floatTensor(ort, tensor);
  const results = await session.run(feeds);
  const next = [...state].map(([name, old]) => [name, { ...old, data: floats(results, `${name}.next`) }] as const);
  return { loss: floats(results, 'loss')[0] ?? Number.NaN, next: new Map(next) };
}

/** Puts the weights into the model's file, and judges the file. */
async function judge(ort: Runtime, { model, weights, test, counts }: Task, state: State): Promise<Judged> {
  const trained = [...state].filter(([name]) => weights.includes(name));
  const tuned = tunedBytes(model, new Map(trained));
  const session = await ort.InferenceSession.create(tuned);
  try {
    const [[input = ''], [output = '']] = [session.inputNames, session.outputNames];
    const logits = floats(await session.run({ [input]: floatTensor(ort, test.images) }), output);
    const collector = new Collector(test.labels.length, counts.length);
    collector.add(logits, Array.from(test.labels, Number));
    return { tuned, test: metricsOf(collector.done(), { trainCounts: counts }) };
  } finally {
    await session.release();
  }
}
type Judged = Pick<Epoch, 'tuned' | 'test'>;

function floatTensor(ort: Runtime, { data, dims }: Tensor): Ort.Tensor {
  if (data instanceof Float32Array) return new ort.Tensor('float32', data, dims);
  throw new Error('The images are not float32');
}

function floats(results: Ort.InferenceSession.ReturnType, name: string): Float32Array {
  const data = results[name]?.data;
  if (data instanceof Float32Array) return data;
  throw new Error(`The graph gives no float32 ${name}`);
}

function pick({ images, labels }: Samples, rows: Uint32Array): Samples {
  const width = images.data.length / labels.length;
  const data = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries()) data.set(images.data.subarray(row * width, (row + 1) * width), i * width);
  const dims = [rows.length, ...images.dims.slice(1)];
  return { images: { ...images, dims, data }, labels: BigInt64Array.from(rows, (row) => labels[row] ?? 0n) };
}
