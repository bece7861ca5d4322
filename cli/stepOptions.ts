import type { Argv } from 'yargs';
import type { TrainOptions } from '../src/index.ts';
import { defined } from './defined.ts';
import { UsageError } from './usage.ts';

/** The arguments that say how a training step treats the model and its gradients. */
export interface StepArgs {
  'batch-norm': 'frozen' | 'train' | undefined;
  dropout: 'off' | 'train' | undefined;
  'keep-ties': boolean | undefined;
  'clip-norm': number | undefined;
  accumulate: number | undefined;
  'no-decay-for-vectors': boolean | undefined;
  'rate-factors': string | undefined;
}

/** Declares {@link StepArgs}. */
export function stepOptions<T>(yargs: Argv<T>): Argv<T & StepArgs> {
  return updateOptions(modelOptions(yargs));
}

function modelOptions<T>(yargs: Argv<T>) {
  return yargs
    .option('batch-norm', {
      choices: ['frozen', 'train'] as const,
      requiresArg: true,
      describe: 'frozen (default): running statistics; train: the batch’s, and the running ones go on as PyTorch’s do',
    })
    .option('dropout', {
      choices: ['off', 'train'] as const,
      requiresArg: true,
      describe: 'Whether Dropout drops (default off)',
    })
    .option('keep-ties', {
      type: 'boolean',
      describe: 'Keep tensors one that the exporter merged because they were equal (default: each reader gets its own)',
    });
}

function updateOptions<T>(yargs: Argv<T>) {
  return yargs
    .option('clip-norm', {
      type: 'number',
      requiresArg: true,
      describe: 'Scale gradients down to this norm, all together',
    })
    .option('accumulate', {
      type: 'number',
      requiresArg: true,
      describe: 'Average gradients over this many micro-batches before a step is taken',
    })
    .option('no-decay-for-vectors', {
      type: 'boolean',
      describe: 'No weight decay for tensors of rank 1: biases and the scales of normalisations',
    })
    .option('rate-factors', {
      type: 'string',
      requiresArg: true,
      describe: 'Learning rates of parameters relative to learning_rate: layer1.*=0.1,fc.*=10; the first match counts',
    });
}

/** What {@link StepArgs} say, as the library takes it. */
export function givenStep(
  args: StepArgs,
): Partial<
  Pick<
    TrainOptions,
    'batchNorm' | 'dropout' | 'keepTies' | 'clipNorm' | 'accumulate' | 'noDecayForVectors' | 'rateFactors'
  >
> {
  const { 'rate-factors': factors } = args;
  return defined({
    batchNorm: args['batch-norm'],
    dropout: args.dropout,
    keepTies: args['keep-ties'],
    clipNorm: args['clip-norm'],
    accumulate: args.accumulate,
    noDecayForVectors: args['no-decay-for-vectors'],
    rateFactors: factors === undefined ? undefined : parseFactors(factors),
  });
}

/** `layer1.*=0.1,fc.*=10` */
function parseFactors(text: string): { pattern: string; factor: number }[] {
  return text.split(',').map((part) => {
    const at = part.lastIndexOf('=');
    const factor = Number(part.slice(at + 1));
    if (at > 0 && part.slice(at + 1).trim() !== '' && Number.isFinite(factor))
      return { pattern: part.slice(0, at).trim(), factor };
    throw new UsageError(`--rate-factors expects PATTERN=FACTOR,…, for example layer1.*=0.1, and found "${part}"`);
  });
}
