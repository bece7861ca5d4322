/**
 * `step`: runs of the training graph alone, all data at hand; `loop`: the same in a Scan over as many steps as `train` gives it. `train`:
 * epochs of `train` itself, data and their shuffling included, per step; with `cached`, what is frozen was computed before. `loss`: a loss
 * and its gradient alone.
 */
export type Way = 'step' | 'loop' | 'train' | 'cached' | 'loss';

export interface Work {
  readonly title: string;
  readonly way: Way;
  /** Of a batch. */
  readonly shape: readonly number[];
  readonly classes: number;
  readonly trainable: string;
  readonly batchNorm: 'frozen' | 'train';
  /** At most this share of PyTorch's time. Works without are compared with themselves only. */
  readonly limit?: number;
  /** The same for the plain forms that files hold. */
  readonly plainLimit?: number;
  /** Of an epoch, where `train` is timed. */
  readonly steps?: number;
  /** Rounds for each one asked for, where steps are short. Default 1. */
  readonly rounds?: number;
  /** Whose file it shares. Default: its own name. */
  readonly model?: string;
}

const ALL = { trainable: 'all', batchNorm: 'frozen' } as const;
const IMAGES = { ...ALL, shape: [8, 3, 224, 224], classes: 1000 } as const;
const SMALL_IMAGES = { shape: [128, 3, 32, 32], classes: 10, trainable: 'all', batchNorm: 'train' } as const;
const SENSORS = { ...ALL, shape: [32, 100, 6], classes: 2 } as const;
const HEAD = { ...IMAGES, model: 'resnet18-head', shape: [32, 3, 224, 224], steps: 2, trainable: 'head' } as const;

/** Residual networks of 3 to 24 blocks. */
export const DEPTHS = [1, 2, 4, 8] as const;

export const WORKS: Readonly<Record<string, Work>> = {
  resnet32: {
    title: 'ResNet-32, 32×32, BatchNorm in training',
    way: 'step',
    ...SMALL_IMAGES,
    limit: 1,
    plainLimit: 1.6,
  },
  resnet18: { title: 'ResNet-18, 224×224', way: 'step', ...IMAGES, model: 'resnet18-head', limit: 1 },
  mobilenet_v2: { title: 'MobileNetV2, 224×224', way: 'step', ...IMAGES, limit: 1.2, plainLimit: 2 },
  'fashion-cnn': {
    title: 'the Fashion-MNIST CNN, epochs of `train`, data included',
    way: 'train',
    steps: 100,
    ...ALL,
    shape: [128, 1, 28, 28],
    classes: 10,
    limit: 0.9,
  },
  mlp: {
    title: 'MLP 784-256-10, several steps in a run',
    way: 'loop',
    rounds: 100,
    ...ALL,
    shape: [128, 784],
    classes: 10,
    limit: 0.7,
    plainLimit: 1,
  },
  lstm: { title: 'LSTM 6→64, 100 steps of time', way: 'step', rounds: 10, ...SENSORS, limit: 1.2, plainLimit: 1.2 },
  'lstm-wide': {
    title: 'LSTM 64→256, 128 steps of time',
    way: 'step',
    rounds: 2,
    ...SENSORS,
    shape: [32, 128, 64],
    limit: 1.2,
    plainLimit: 1.2,
  },
  vit_b_16: {
    title: 'ViT-B/16, 224×224, head and last block, epochs of `train`',
    way: 'train',
    steps: 6,
    ...IMAGES,
    shape: [4, 3, 224, 224],
    trainable: 'heads.*,encoder.ln.*,encoder.layers.encoder_layer_11.*',
    limit: 0.9,
  },
  'resnet18-head': {
    title: 'ResNet-18, 224×224, head alone, epochs of `train`',
    way: 'train',
    ...HEAD,
    limit: 0.65,
    plainLimit: 0.7,
  },
  'resnet18-head-cached': { title: 'the same with cached features', way: 'cached', ...HEAD, limit: 0.05 },
  'ib-loss': {
    title: 'IB loss and its gradient alone, 1000 classes',
    way: 'loss',
    rounds: 10,
    ...IMAGES,
    shape: [4096],
    limit: 0.5,
  },
  resnet50: { title: 'ResNet-50, 224×224', way: 'step', ...IMAGES },
  ...Object.fromEntries(
    DEPTHS.map((n) => [`cifar-resnet-${n}`, { title: `ResNet-${6 * n + 2}, 32×32`, way: 'step', ...SMALL_IMAGES }]),
  ),
};

export function workNamed(name: string): Work {
  const work = WORKS[name];
  if (work) return work;
  throw new Error(`expected a work of ${Object.keys(WORKS).join(', ')}, found ${name}`);
}

/** The name of the file, in the folder of models. */
export function modelOf(name: string): string | undefined {
  const { model, way } = workNamed(name);
  return way === 'loss' ? undefined : (model ?? name);
}

/** What one process has to do for a work. */
export interface Job {
  readonly work: string;
  readonly batch: number;
  readonly rounds: number;
  readonly threads: number;
  readonly lower: 'auto' | 'off';
  /** The folder of models. */
  readonly models: string;
}

export interface Timing {
  /** Milliseconds of steps, without those that warm up. */
  readonly ms: readonly number[];
  /** The peak of resident memory above what the process took when all was imported, in bytes. */
  readonly rss: number;
}
