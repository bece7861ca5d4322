import { unzipSync } from 'fflate';
import { decodeNpy } from '../../src/browser.ts';
import { type FloatTensor, readSafetensors } from './safetensors.ts';

/** Images [N, C, H, W] and their classes. */
export interface Samples {
  readonly images: FloatTensor;
  readonly labels: BigInt64Array;
}

export interface Plan {
  readonly epochs: number;
  readonly batchSize: number;
  /** The highest: it rises over the first epoch and falls as half a cosine. */
  readonly learningRate: number;
  /** Images are cropped at random after padding by so many pixels. */
  readonly padding: number;
  readonly seed: number;
}

/** All that a training needs. */
export interface Task {
  readonly model: Uint8Array;
  /** The training graph that lossgraft made of the model. */
  readonly step: Uint8Array;
  readonly state: ReadonlyMap<string, FloatTensor>;
  /** Which of the states are the model's; the others are the optimizer's. */
  readonly weights: readonly string[];
  readonly loss: string;
  readonly train: Samples;
  readonly test: Samples;
  /** Training images of each class. */
  readonly counts: readonly number[];
  readonly plan: Plan;
}

/** What the build says of the graph and the data, in settings.json. */
export type Settings = Pick<Task, 'weights' | 'loss' | 'counts' | 'plan'>;

/** Loads what the build wrote. `read` gets a file's bytes: by fetch in a browser, from the disk in Node. */
export async function loadTask(read: (name: string) => Promise<Uint8Array>): Promise<Task> {
  const [model, step, state, train, test, settings] = await Promise.all(
    ['model.onnx', 'step.onnx', 'step.safetensors', 'train.npz', 'test.npz', 'settings.json'].map(read),
  );
  if (!model || !step || !state || !train || !test || !settings) throw new Error('A file is missing');
  return {
    model,
    step,
    state: readSafetensors(state),
    train: await samplesOf(train),
    test: await samplesOf(test),
    ...(JSON.parse(new TextDecoder().decode(settings)) as Settings),
  };
}

async function samplesOf(npz: Uint8Array): Promise<Samples> {
  const { 'images.npy': images, 'labels.npy': labels } = unzipSync(npz);
  if (!images || !labels) throw new Error('The data have no images and labels');
  const [{ dims, data }, { data: classes }] = [await decodeNpy(images), await decodeNpy(labels)];
  if (data instanceof Float32Array && classes instanceof BigInt64Array) {
    return { images: { dtype: 'float32', dims, data }, labels: classes };
  }
  throw new Error('The data are not float32 images and int64 labels');
}
