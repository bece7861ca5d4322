import type { DataOptions } from '../../src/index.ts';

/** What is trained, as `lossgraft train` and reference.py take it. */
export interface Work {
  /** Where the training data are. */
  readonly train: (folder: string) => string;
  readonly test: (folder: string) => string;
  /** Options of `lossgraft train`. */
  readonly data: (folder: string) => readonly string[];
  readonly labelColumn?: string;
  readonly imbalance?: number;
  readonly alpha: 'auto' | number;
  /** Of the inputs, for reference.py. */
  readonly scale?: { readonly mean: number; readonly std: number };
  readonly schedule: Schedule;
}

export interface Schedule {
  readonly epochs: number;
  readonly ibFrom: number;
  readonly rate: number;
  readonly factor: number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly batch: number;
}

/** What a stage works on. */
export interface Setup {
  readonly name: string;
  readonly work: Work;
  readonly python: string;
  readonly data: string;
  readonly out: string;
  readonly seeds: readonly number[];
  readonly threads: number;
}

/** One `lossgraft train`: options such as --detach-factor go to all losses of a run. */
export interface Run {
  readonly name: string;
  readonly options: readonly string[];
  readonly arms: readonly ReferenceArm[];
}

/** A loss as reference.py takes it; `name` is lossgraft's, `title` that of the tables. */
export interface ReferenceArm {
  readonly name: string;
  readonly title: string;
  readonly loss: string;
  readonly weights: 'none' | 'inverse';
  readonly alpha?: 'auto' | number;
  readonly detachFactor?: boolean;
}

export function runsOf({ alpha }: Work): Run[] {
  const influence = { weights: 'inverse', alpha } as const;
  return [
    {
      name: 'main',
      options: ['--loss', 'ib', '--alpha', String(alpha), '--compare', 'ce,ce+inverse,ib-focal'],
      arms: [
        { name: 'ib', title: 'IB', loss: 'ib', ...influence },
        { name: 'ce', title: 'continued CE', loss: 'ce', weights: 'none' },
        { name: 'ce+inverse', title: 'weighted CE', loss: 'ce', weights: 'inverse' },
        { name: 'ib-focal', title: 'IB-Focal', loss: 'ib-focal', ...influence },
      ],
    },
    {
      name: 'detached',
      options: ['--loss', 'ib', '--alpha', String(alpha), '--detach-factor'],
      arms: [{ name: 'ib', title: 'IB detached', loss: 'ib', ...influence, detachFactor: true }],
    },
  ];
}

const SGD = { momentum: 0.9, weightDecay: 2e-4, batch: 128 };

/** Of the pixels of Fashion-MNIST. */
const SCALE = { mean: 0.286, std: 0.353 };
const SCALED = ['--mean', String(SCALE.mean), '--std', String(SCALE.std)];

/** The test data stand in for validation data; with --select last nothing is chosen by them. */
export const works: Readonly<Record<string, Work>> = {
  fashion: {
    train: (folder) => folder,
    test: (folder) => folder,
    data: (folder) => ['--data', folder, '--validation', folder, '--test', folder, '--imbalance', '100', ...SCALED],
    imbalance: 100,
    alpha: 'auto',
    scale: SCALE,
    schedule: { epochs: 12, ibFrom: 8, rate: 0.05, factor: 0.2, ...SGD },
  },
  shuttle: {
    train: (folder) => `${folder}/train.csv`,
    test: (folder) => `${folder}/test.csv`,
    data: (folder) => [
      ...['--data', `${folder}/train.csv`, '--validation', `${folder}/test.csv`, '--test', `${folder}/test.csv`],
      ...['--label-column', 'Class'],
    ],
    labelColumn: 'Class',
    alpha: 100,
    schedule: { epochs: 23, ibFrom: 15, rate: 0.05, factor: 0.1, ...SGD },
  },
};

/** How lossgraft opens a work's data. */
export function openOptions({ labelColumn, scale }: Work): DataOptions {
  return {
    ...(labelColumn === undefined ? {} : { labelColumn }),
    ...(scale === undefined ? {} : { mean: [scale.mean], std: [scale.std] }),
  };
}
