import type { Task } from '../task.ts';

/** How a model is corrected for the skew of its training data if no loss is requested. */
export interface Method {
  readonly describe: string;
  /** The losses to train beside one another, in the form of `compare`. */
  readonly losses: readonly string[];
  /** Options of these losses. */
  readonly lossOptions: Readonly<Record<string, number>>;
  /** What is trained, if not everything: the last layer, or a scale for each class. */
  readonly trains?: 'head' | 'scales';
  /** The learning rate, if it does not depend on the network. */
  readonly rate?: number;
  /** The same for samples that may have several labels; none: it is for exclusive classes only. */
  readonly multiLabel?: Pick<Method, 'describe' | 'losses'>;
}

export type MethodName = 'half' | 'full' | 'sampled' | 'weighted' | 'plain' | 'crt' | 'lws' | 'auto';

/** τ = ½ buys recall of rare classes with less precision than the whole correction does: mostly both gain. */
const HALF = { tau: 0.5 } as const;

export const methods: Readonly<Record<MethodName, Method>> = {
  half: {
    describe: 'logit adjustment with τ 0.5',
    losses: ['logit-adjustment'],
    lossOptions: HALF,
    multiLabel: { describe: 'distribution-balanced loss', losses: ['distribution-balanced'] },
  },
  full: {
    describe: 'balanced softmax, the full correction',
    losses: ['balanced-softmax'],
    lossOptions: {},
    multiLabel: { describe: 'asymmetric loss', losses: ['asymmetric'] },
  },
  sampled: {
    describe: 'all classes drawn equally often',
    losses: ['ce+sampled'],
    lossOptions: {},
    multiLabel: { describe: 'all labels drawn equally often', losses: ['bce+sampled'] },
  },
  weighted: {
    describe: 'cross-entropy weighted by 1/n',
    losses: ['ce+inverse'],
    lossOptions: {},
    multiLabel: { describe: 'binary cross-entropy with pos_weight', losses: ['bce+positive'] },
  },
  plain: {
    describe: 'cross-entropy',
    losses: ['ce'],
    lossOptions: {},
    multiLabel: { describe: 'binary cross-entropy', losses: ['bce'] },
  },
  crt: {
    describe: 'the last layer alone, all classes drawn equally often',
    losses: ['ce+sampled'],
    lossOptions: {},
    trains: 'head',
    multiLabel: { describe: 'the last layer alone, all labels drawn equally often', losses: ['bce+sampled'] },
  },
  lws: {
    describe: 'a scale for the weights of each class alone, all classes drawn equally often',
    losses: ['ce+sampled'],
    lossOptions: {},
    trains: 'scales',
    // Measured on ten tables and images: 3e-3 does not converge within 12 epochs, and 0.1 gives the same as 0.03.
    rate: 0.03,
  },
  auto: {
    describe: 'half, full, sampled, weighted and plain; keeps the best on validation data',
    losses: ['logit-adjustment', 'balanced-softmax', 'ce+sampled', 'ce+inverse', 'ce'],
    lossOptions: HALF,
    multiLabel: {
      describe: 'half, full, weighted and plain; keeps the best on validation data',
      losses: ['distribution-balanced', 'asymmetric', 'bce+positive', 'bce'],
    },
  },
};

/** A method for samples with such labels; `undefined` if it does not apply. */
export function methodOf(name: MethodName, task: Task): Method | undefined {
  const method = methods[name];
  if (task === 'exclusive') return method;
  return method.multiLabel && { ...method, ...method.multiLabel, lossOptions: {} };
}

export const METHOD_NAMES = Object.keys(methods) as readonly MethodName[];

export type Goal = 'macro-f1' | 'balanced-accuracy';

/** Without a method: the whole correction suits balanced accuracy (Menon et al., ICLR 2021), half of it suits both. */
export const methodFor: Readonly<Record<Goal, MethodName>> = { 'macro-f1': 'half', 'balanced-accuracy': 'full' };

/** Passes through the data in the measured runs. */
const EPOCHS = 12;
/** Smaller data get more of them: fixtures/sentences, with 5 steps per epoch, takes 200 steps to learn; 60 are too few. */
const LEAST_STEPS = 200;
const MOST_EPOCHS = 60;
/** Larger data get fewer, but one to warm up and two to cool down: one pass has as many steps as whole runs on smaller data. */
const MOST_STEPS = 20_000;
const LEAST_EPOCHS = 3;

/** How often to go through the data. */
export function epochsFor(stepsPerEpoch: number): number {
  const wanted = Math.min(MOST_EPOCHS, Math.max(EPOCHS, Math.ceil(LEAST_STEPS / stepsPerEpoch)));
  return Math.min(wanted, Math.max(LEAST_EPOCHS, Math.floor(MOST_STEPS / stepsPerEpoch)));
}

/** The properties of a network that its learning rate depends on. */
export interface NetworkSize {
  /** The number of trained elements. */
  readonly trained: number;
  readonly hasAttention: boolean;
  /** Whether it has layer norms and all their scales are still 1: no training has moved them. */
  readonly isFresh?: boolean;
}

/** The largest network that the default rate was measured on. */
const MEASURED_SIZE = 1.1e6;

/** Whether a network resembles those that the default was measured on. */
export function isMeasured({ trained, hasAttention }: NetworkSize): boolean {
  return !hasAttention && trained <= MEASURED_SIZE;
}

/**
 * AdamW's rates, measured: 3e-3 gains most on small networks, but ruins transformers and larger networks, which keep what they know at
 * 1e-4. Those that were never trained have nothing to keep: macro-F1 of two small vision transformers and a text transformer at 1e-4, 1e-3
 * and 3e-3: 2, 48, 69; 18, 64, 64; 26, 35, 36. Larger ones were not measured.
 */
export function rateFor(network: NetworkSize): number {
  if (isMeasured(network)) return 3e-3;
  if (!network.isFresh) return 1e-4;
  return network.trained <= MEASURED_SIZE ? 3e-3 : 1e-3;
}
