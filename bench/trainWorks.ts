/**
 * `step`: runs of the training graph alone, all data at hand. `train`: epochs of `train` itself, data and their shuffling included, per
 * step; with `cached`, what is frozen was computed before.
 */
export type Way = 'step' | 'train' | 'cached';

export interface Work {
  readonly way: Way;
  /** Of a batch. */
  readonly shape: readonly number[];
  readonly classes: number;
  readonly trainable: string;
  readonly batchNorm: 'frozen' | 'train';
  readonly limit: number;
  /** Of an epoch, where `train` is timed. */
  readonly steps?: number;
  /** Whose file it shares. Default: its own name. */
  readonly model?: string;
}

export const WORKS: Readonly<Record<string, Work>> = {
  resnet32: { way: 'step', shape: [128, 3, 32, 32], classes: 10, trainable: 'all', batchNorm: 'train', limit: 1 },
  mobilenet_v2: {
    way: 'step',
    shape: [8, 3, 224, 224],
    classes: 1000,
    trainable: 'all',
    batchNorm: 'frozen',
    limit: 1.2,
  },
  mlp: { way: 'step', shape: [128, 784], classes: 10, trainable: 'all', batchNorm: 'frozen', limit: 0.7 },
  'fashion-cnn': {
    way: 'train',
    steps: 100,
    shape: [128, 1, 28, 28],
    classes: 10,
    trainable: 'all',
    batchNorm: 'frozen',
    limit: 0.9,
  },
  resnet18: {
    way: 'step',
    model: 'resnet18-head',
    shape: [8, 3, 224, 224],
    classes: 1000,
    trainable: 'all',
    batchNorm: 'frozen',
    limit: 1,
  },
  'resnet18-head': {
    way: 'train',
    steps: 2,
    shape: [32, 3, 224, 224],
    classes: 1000,
    trainable: 'head',
    batchNorm: 'frozen',
    limit: 0.65,
  },
  'resnet18-head-cached': {
    way: 'cached',
    model: 'resnet18-head',
    steps: 2,
    shape: [32, 3, 224, 224],
    classes: 1000,
    trainable: 'head',
    batchNorm: 'frozen',
    limit: 0.05,
  },
};

export interface Timing {
  readonly ms: readonly number[];
  readonly rss: number;
}
