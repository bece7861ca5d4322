import { existsSync } from 'node:fs';
import type { Argv, Options } from 'yargs';
import {
  type Dataset,
  losses,
  openData,
  optimizers,
  readWeights,
  recipes,
  type TrainOptions,
  weightings,
} from '../src/index.ts';
import { DATA_FORMATS, type DataArgs, dataOptions, givenData, openFurther } from './dataOptions.ts';
import { declareOptions, givenOptions } from './declared.ts';
import { defined } from './defined.ts';
import { type FileArgs, fileOptions } from './fileOptions.ts';
import { describeAll, parseRename, type TensorArgs, tensorOptions } from './graftOptions.ts';
import { givenStep, type StepArgs, stepOptions } from './stepOptions.ts';
import { UsageError } from './usage.ts';

/** The arguments of lossgraft train. */
export interface TrainArgs extends TensorArgs, StepArgs, DataArgs, FileArgs {
  data: string;
  labels: string | undefined;
  validation: string | undefined;
  test: string | undefined;
  run: string | undefined;
  report: string | undefined;
  'no-report': boolean | undefined;
  resume: boolean | undefined;
  loss: string | undefined;
  'class-weights': string | undefined;
  alpha: string | undefined;
  baseline: boolean | undefined;
  compare: string | undefined;
  optimizer: string | undefined;
  trainable: string | undefined;
  recipe: string | undefined;
  epochs: number | undefined;
  'learning-rate': number | undefined;
  schedule: 'constant' | 'step' | 'cosine' | undefined;
  warmup: number | undefined;
  milestones: string | undefined;
  'step-factor': number | undefined;
  'ib-from': number | undefined;
  'first-loss': string | undefined;
  'ib-rate-factor': number | undefined;
  'batch-size': number | undefined;
  'steps-per-run': number | undefined;
  seed: number | undefined;
  padding: number | undefined;
  flip: boolean | undefined;
  imbalance: number | undefined;
  'imbalance-type': 'exp' | 'step' | undefined;
  patience: number | undefined;
  select: 'best' | 'last' | undefined;
  'cache-features': 'auto' | 'on' | 'off' | undefined;
  lower: 'auto' | 'off' | undefined;
  provider: 'cpu' | 'cuda' | undefined;
  threads: number | undefined;
}

const text = (describe: string): Options => ({ type: 'string', requiresArg: true, describe });
const number = (describe: string): Options => ({ type: 'number', requiresArg: true, describe });
const flag = (describe: string): Options => ({ type: 'boolean', describe });

const FILES = {
  data: {
    ...text(DATA_FORMATS),
    demandOption: true,
  },
  labels: text('A file of labels, if --data has none'),
  validation: text('Data to choose the best epoch by, or a share of --data, held out class by class (default 0.2)'),
  test: text('Data that are judged once, when all is done: nothing is chosen by them'),
  run: text(
    'The folder of checkpoints, metrics.jsonl, TensorBoard’s event files and report.html (default: the output with .run instead of .onnx)',
  ),
  report: text('The page with curves and figures to write, instead of report.html in that folder'),
  'no-report': flag('Write no such page'),
  resume: flag('Go on with the run in that folder, as if it had never been interrupted'),
  force: flag('Replace the output, and begin a run again, if they exist'),
};

const LOSSES = {
  loss: { ...text(describeAll('Which loss (default ib)', losses)), choices: Object.keys(losses) },
  'class-weights': text(`${describeAll('How classes weigh', weightings)}
FILE (.json, .csv, .npy): one weight per class
Default: inverse for the influence-balanced losses, none for others. Classes are counted in the training data`),
  alpha: text(
    'A number (default 1000), or auto: where the loss takes over, its mean is made that of the cross-entropy',
  ),
  baseline: flag('Also train with class-weighted cross-entropy, from the same start: on some data it wins'),
  compare: text('Further losses to train with from the same start: ce,ib-focal,ce+effective'),
};

const SCHEDULE = {
  recipe: { ...text('ib-cifar: what the authors of the IB loss did on CIFAR'), choices: Object.keys(recipes) },
  epochs: number('Default 10'),
  'learning-rate': number('Default 0.01'),
  schedule: { ...text('How the learning rate goes (default constant)'), choices: ['constant', 'step', 'cosine'] },
  warmup: number('Epochs over which the learning rate rises from 0'),
  milestones: text('Epochs after which the learning rate is multiplied by --step-factor: 160,180'),
  'step-factor': number('Of --schedule step (default 0.1)'),
  'ib-from': number('Epochs of the first loss before the loss (default 0)'),
  'first-loss': text('The loss of that first phase, with class weights as in ldam+none (default ce, without)'),
  'ib-rate-factor': number('By what the learning rate is multiplied then (default 0.01, as the authors did)'),
  optimizer: { ...text(describeAll('Which optimizer (default sgd)', optimizers)), choices: Object.keys(optimizers) },
  trainable: text('all (default), head, and names, with * too, separated by commas: layer4.*,fc.*'),
  'batch-size': number('Default 64'),
  'steps-per-run': number('Steps in one run of ONNX Runtime (default: by the size of the weights)'),
  seed: number('Of shuffling, split, long tail, augmentation and Dropout (default 0)'),
  patience: number('End after so many epochs without a better balanced accuracy on the validation data'),
  select: { ...text('Which epoch is taken (default best)'), choices: ['best', 'last'] },
  'cache-features': {
    ...text('Compute what is frozen once for each sample, not in each epoch (default auto: where nothing forbids it)'),
    choices: ['auto', 'on', 'off'],
  },
  lower: {
    ...text("Forms made for this machine's runtime while training (default auto: where they are proved right)"),
    choices: ['auto', 'off'],
  },
  provider: { ...text('Who computes (default cpu); cuda never falls back'), choices: ['cpu', 'cuda'] },
  threads: number('That compute one operator (default: as many as the processor has cores)'),
};

const DATA = {
  padding: number('Random crops: pad images by so many pixels, and crop their own size'),
  flip: flag('Mirror half of the images'),
  imbalance: number(
    'Cut a long tail from balanced data: the largest class has so many times the samples of the smallest',
  ),
  'imbalance-type': { ...text('exp (default), or step: half of the classes are rare'), choices: ['exp', 'step'] },
};

/** Declares {@link TrainArgs}. */
export function trainOptions<T>(yargs: Argv<T>): Argv<T & TrainArgs> {
  fileOptions(yargs, 'The tuned model to write').options({ ...FILES, ...LOSSES, ...SCHEDULE, ...DATA });
  dataOptions(stepOptions(tensorOptions(declareOptions(declareOptions(yargs, 'losses', ['alpha']), 'optimizers'))));
  return yargs as Argv<T & TrainArgs>;
}

/** What {@link TrainArgs} say, as the library takes it; data are opened, to be closed by the caller. */
export async function givenTrain(args: TrainArgs, opened: Dataset[]): Promise<TrainOptions> {
  const { 'class-weights': weights, rename, padding, flip, milestones } = args;
  const isFile = weights !== undefined && /\.(json|csv|npy)$/i.test(weights);
  const data = await openData(args.data, { ...givenData(args), ...defined({ labels: args.labels }) });
  opened.push(data);
  const open = async (path: string): Promise<Dataset> => {
    const further = await openFurther(path, args, data);
    opened.push(further);
    return further;
  };
  return {
    ...givenOptions({ ...args, alpha: undefined }, 'losses'),
    ...givenOptions({ ...args }, 'optimizers'),
    ...givenStep(args),
    data,
    folder: runFolder(args),
    mode: args.resume ? 'resume' : args.force ? 'replace' : 'new',
    ...defined({
      validation: await validationOf(args.validation, open),
      test: args.test === undefined ? undefined : await open(args.test),
      classWeights: isFile ? await readWeights(weights) : weights,
      alpha: alphaOf(args.alpha),
      compare: args.compare?.split(',').map((part) => part.trim()),
      milestones: milestones?.split(',').map((part) => numberOf('milestones', part)),
      augmentation: padding === undefined && flip === undefined ? undefined : defined({ padding, flip }),
      rename: rename === undefined ? undefined : parseRename(rename),
    }),
    ...defined({ report: reportOf(args) }),
    ...plainOptions(args),
  };
}

/** `tuned.onnx` → `tuned.run` */
export function runFolder({ run, output }: Pick<TrainArgs, 'run' | 'output'>): string {
  return run ?? `${output.replace(/\.onnx$/, '')}.run`;
}

function reportOf({ report, 'no-report': without }: TrainArgs): string | false | undefined {
  if (!without) return report;
  if (report === undefined) return false;
  throw new UsageError(`--no-report contradicts --report ${report}`);
}

function plainOptions(args: TrainArgs): Partial<TrainOptions> {
  return defined({
    loss: args.loss,
    baseline: args.baseline,
    optimizer: args.optimizer,
    trainable: args.trainable,
    recipe: args.recipe,
    epochs: args.epochs,
    learningRate: args['learning-rate'],
    schedule: args.schedule,
    warmup: args.warmup,
    stepFactor: args['step-factor'],
    ibFrom: args['ib-from'],
    firstLoss: args['first-loss'],
    ibRateFactor: args['ib-rate-factor'],
    batchSize: args['batch-size'],
    stepsPerRun: args['steps-per-run'],
    seed: args.seed,
    imbalance: args.imbalance,
    imbalanceType: args['imbalance-type'],
    patience: args.patience,
    select: args.select,
    cacheFeatures: args['cache-features'],
    lower: args.lower,
    provider: args.provider,
    threads: args.threads,
    logits: args.logits,
    features: args.features,
    featuresAreNorm: args['features-are-norm'],
  });
}

async function validationOf(
  given: string | undefined,
  open: (path: string) => Promise<Dataset>,
): Promise<Dataset | number | undefined> {
  if (given === undefined || existsSync(given) || !Number.isFinite(Number(given))) {
    return given === undefined ? undefined : open(given);
  }
  return Number(given);
}

function alphaOf(given: string | undefined): number | 'auto' | undefined {
  if (given === undefined || given === 'auto') return given;
  return numberOf('alpha', given);
}

function numberOf(option: string, given: string): number {
  const value = Number(given);
  if (given.trim() !== '' && Number.isFinite(value)) return value;
  throw new UsageError(`--${option} expects a number, and found "${given}"`);
}
