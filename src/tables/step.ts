import type { Configured, Optimizer } from '../contract.ts';
import { isRecord } from '../isRecord.ts';
import { choice, count, flag, isText, number, text, value } from '../options/row.ts';
import { isChoice } from './graft.ts';

/** The learning rate of parameters whose name matches a pattern is multiplied; the first match counts. */
export interface RateFactor {
  readonly pattern: string;
  readonly factor: number;
}

/** A name from `optimizers`, an optimizer, or one with options. */
export type OptimizerChoice = string | Optimizer | Configured<Optimizer>;

const isOptimizer = (given: unknown): given is OptimizerChoice => isChoice(given, 'update');

const isFactors = (given: unknown): given is readonly RateFactor[] =>
  Array.isArray(given) &&
  given.every((each) => isRecord(each) && isText(each.pattern) && typeof each.factor === 'number');

/** The optimizer, by name or as a value. */
export const optimizerRow = value('a name or an optimizer', isOptimizer, 'Which optimizer', {
  registry: 'optimizers',
  settings: 'within',
});

/** What is trained. */
export const trainableRow = text(
  'What to train: head (the last linear layer), all, or comma-separated names with *: layer4.*,fc.*',
  {
    first: true,
    settings: 'within',
  },
);

/** How a training step treats the model and its gradients. The training graph gets these options unchanged. */
export const stepRows = {
  /** `frozen`: running statistics; `train`: the batch's, and the running ones are updated as PyTorch updates them. Default `frozen`. */
  batchNorm: choice(
    ['frozen', 'train'],
    'frozen: use the running statistics; train: use those of the batch, and update the running ones as PyTorch does',
    { default: 'frozen', settings: 'within' },
  ),
  /** Whether Dropout drops. Default `off`. */
  dropout: choice(['off', 'train'], 'Whether Dropout is active', { default: 'off', settings: 'within' }),
  /** Keeps tensors merged that the exporter merged because they were equal. Default false: each reader gets its own. */
  keepTies: flag(
    'Keep tensors shared that the exporter merged because they were equal; otherwise each reader gets its own copy',
    {
      settings: 'within',
    },
  ),
  /**
   * In which the model's products are computed: `mixed` in float16, with a loss scale that is raised and lowered as torch.amp.GradScaler does;
   * `mixed-bfloat16` in bfloat16. Weights, sums, normalisations, losses and updates are float32 in all three. Default `float32`.
   */
  precision: choice(
    ['float32', 'mixed', 'mixed-bfloat16'],
    'What computes products: float32; mixed: float16, with dynamic loss scaling; mixed-bfloat16: bfloat16. Weights, sums, losses and ' +
      'updates stay float32. For GPUs: on the CPU both are slower',
    { default: 'float32', settings: 'within' },
  ),
  /** Scales all gradients together so that their Euclidean norm is at most this: torch.nn.utils.clip_grad_norm_. */
  clipNorm: number('Clip the global norm of all gradients at this value', 'a number above 0', (norm) => norm > 0, {
    settings: 'within',
  }),
  /** Also trains the scales of quantised weights, as learned step size quantisation does. */
  learnScales: flag('Quantised models: train the scales of the trained weights too (learned step size quantisation)', {
    settings: 'within',
  }),
  /** Gradients are averaged over this many micro-batches before a step is taken. */
  accumulate: count('Average the gradients of this many micro-batches for each step', { settings: 'within' }),
  /** No weight decay for parameters of rank 1: biases and the scales of normalisations. */
  noDecayForVectors: flag('Apply no weight decay to tensors of rank 1: biases and the scales of normalisations', {
    settings: 'within',
  }),
  /** The learning rate of parameters whose name matches a pattern is multiplied; the first match counts. */
  rateFactors: value(
    'a list of { pattern, factor }',
    isFactors,
    'Multiply the learning rate of some parameters: layer1.*=0.1,fc.*=10; the first match counts',
    { reads: 'PATTERN=FACTOR,…, for example layer1.*=0.1', parse: parseFactors, settings: 'within' },
  ),
};

/** `layer1.*=0.1,fc.*=10` */
function parseFactors(given: string): readonly RateFactor[] | undefined {
  const factors = given.split(',').map((part) => {
    const at = part.lastIndexOf('=');
    const factor = part.slice(at + 1).trim();
    return { pattern: part.slice(0, Math.max(at, 0)).trim(), factor: factor === '' ? Number.NaN : Number(factor) };
  });
  return factors.every(({ pattern, factor }) => pattern !== '' && Number.isFinite(factor)) ? factors : undefined;
}
