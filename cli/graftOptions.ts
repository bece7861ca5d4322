import type { Argv } from 'yargs';
import { type GraftOptions, type GraftReport, losses, readCounts, readWeights, weightings } from '../src/index.ts';
import { declareOptions, givenOptions, kebabCase } from './declared.ts';
import { defined } from './defined.ts';
import { formatNumber } from './io.ts';
import { UsageError } from './usage.ts';

/** The arguments that say which loss, how classes weigh, and where the loss is grafted on. */
export interface GraftArgs extends TensorArgs {
  loss: string;
  'class-counts': string | undefined;
  'class-weights': string | undefined;
}

/** The arguments that say where the loss is grafted on. */
export interface TensorArgs {
  logits: string | undefined;
  features: string | undefined;
  'features-are-norm': boolean | undefined;
  rename: string | undefined;
}

/** Declares {@link GraftArgs} and the options of the losses. */
export function graftOptions<T>(yargs: Argv<T>): Argv<T & GraftArgs> {
  return tensorOptions(weightOptions(declareOptions(lossOption(yargs), 'losses')));
}

function lossOption<T>(yargs: Argv<T>) {
  return yargs.option('loss', {
    type: 'string',
    requiresArg: true,
    demandOption: true,
    choices: Object.keys(losses),
    describe: describeAll('Which loss', losses),
  });
}

function weightOptions<T>(yargs: Argv<T>) {
  return yargs
    .option('class-counts', {
      type: 'string',
      requiresArg: true,
      describe:
        'Training samples of each class: 5000,2997,… or a file: .json, .csv, or an .npy of labels, which are counted. ' +
        `The losses ${countLosses()} are made from them`,
    })
    .option('class-weights', {
      type: 'string',
      requiresArg: true,
      describe: `${describeAll('How classes weigh', weightings)}
FILE (.json, .csv, .npy): one weight per class
Default: inverse with --class-counts, none without; always none for ${countLosses()}`,
    });
}

function countLosses(): string {
  const names = Object.values(losses).filter(({ needsCounts }) => needsCounts);
  return names.map(({ name }) => name).join(', ');
}

/** `what`, then a line for each entry. */
export function describeAll(
  what: string,
  entries: Readonly<Record<string, { name: string; summary: string }>>,
): string {
  return [what, ...Object.values(entries).map(({ name, summary }) => `${name}: ${summary}`)].join('\n');
}

/** Declares where the loss is grafted on, and other names. */
export function tensorOptions<T>(yargs: Argv<T>): Argv<T & TensorArgs> {
  return yargs
    .option('logits', { type: 'string', requiresArg: true, describe: 'The scores before the softmax, [N, C]' })
    .option('features', { type: 'string', requiresArg: true, describe: 'What the last linear layer reads, [N, D]' })
    .option('features-are-norm', { type: 'boolean', describe: '--features holds the norms themselves, [N] or [N, 1]' })
    .option('rename', {
      type: 'string',
      requiresArg: true,
      describe: 'Other names for lossgraft’s inputs and outputs: labels=target,loss=ib_loss',
    });
}

/** What {@link GraftArgs} say, as the library takes it; files are read. */
export async function givenGraft(args: GraftArgs): Promise<GraftOptions> {
  const { loss, logits, features, rename } = args;
  const { 'class-counts': classCounts, 'class-weights': classWeights } = args;
  const isFile = classWeights !== undefined && /\.(json|csv|npy)$/i.test(classWeights);
  return {
    ...givenOptions({ ...args }, 'losses'),
    loss,
    ...defined({
      classCounts: classCounts === undefined ? undefined : await readCounts(classCounts),
      classWeights: isFile ? await readWeights(classWeights) : classWeights,
      rename: rename === undefined ? undefined : parseRename(rename),
      logits,
      features,
      featuresAreNorm: args['features-are-norm'],
    }),
  };
}

/** `labels=target,loss=ib_loss` */
export function parseRename(text: string): Record<string, string> {
  return parseNames('rename', text);
}

const EXAMPLES = { rename: 'labels=target', 'token-inputs': 'input_ids=ids' };

/** The pairs of an option that gives names to names. */
export function parseNames(option: keyof typeof EXAMPLES, text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => {
    const [own = '', name = '', ...more] = pair.split('=').map((part) => part.trim());
    if (own === '' || name === '' || more.length > 0) {
      throw new UsageError(`--${option} expects NAME=NEW,…, for example ${EXAMPLES[option]}, and found "${pair}"`);
    }
    return [own, name] as const;
  });
  const names = pairs.map(([own]) => own);
  const twice = names.find((own, i) => names.indexOf(own) !== i);
  if (twice !== undefined) throw new UsageError(`--${option} names ${twice} twice`);
  return Object.fromEntries(pairs);
}

/** The rows of a report that say what was grafted. */
export function graftRows(done: GraftReport): (readonly [string, string])[] {
  const { logits, features, classWeights, classCounts } = done;
  const options = Object.entries(done.options).map(([key, value]) => `${kebabCase(key)} ${String(value)}`);
  return [
    ['loss', [`${done.loss}, ${done.reduction} over the samples`, ...options].join(', ')],
    ['logits', `${logits.name}: ${logits.how}`],
    ...(features === null ? [] : [['features', `${features.name}: ${features.how}`] as const]),
    ['classes', done.classes === null ? 'unknown' : String(done.classes)],
    ['class weights', classWeights === null ? 'none' : `${classWeights.how}: ${shortList(classWeights.values)}`],
    ...(classCounts === null ? [] : [['class counts', shortList(classCounts)] as const]),
  ];
}

function shortList(values: readonly number[]): string {
  const shown = values.slice(0, 10).map((value) => formatNumber(Number(value.toPrecision(4))));
  return values.length > 10 ? `${shown.join(', ')}, … (${values.length})` : shown.join(', ');
}
