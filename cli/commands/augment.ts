import { statSync } from 'node:fs';
import type { Argv } from 'yargs';
import {
  type AugmentReport,
  augment,
  losses,
  open,
  type Reduction,
  readCounts,
  readWeights,
  weightings,
} from '../../src/index.ts';
import type { Command, Shared } from '../command.ts';
import { defined } from '../defined.ts';
import { formatNumber, note, print, printJson, table } from '../io.ts';
import { declareLossOptions, givenLossOptions, kebabCase } from '../lossOptions.ts';
import { checkOutput } from '../output.ts';
import { UsageError } from '../usage.ts';

interface Args {
  model: string;
  output: string;
  loss: string;
  'class-counts': string | undefined;
  'class-weights': string | undefined;
  reduction: Reduction | undefined;
  logits: string | undefined;
  features: string | undefined;
  'features-are-norm': boolean | undefined;
  'dynamic-batch': boolean | undefined;
  rename: string | undefined;
  force: boolean | undefined;
  'copy-external-data': boolean | undefined;
}

const REDUCTIONS: readonly Reduction[] = ['mean', 'sum', 'none'];

/** lossgraft augment */
export const augmentCommand: Command<Args> = {
  command: 'augment <model>',
  describe: 'Graft a loss onto a classifier: input labels, outputs loss, loss_per_sample and what the loss adds',
  builder: (yargs) => examples(tensorOptions(weightOptions(declareLossOptions(mainOptions(yargs))))),
  handler: async (args) => {
    checkOutput(args.output, { force: args.force ?? false, inputs: [args.model] });
    const model = await open(args.model);
    try {
      const augmented = await augment(model, await augmentOptions(args));
      await augmented.write(args.output, {
        force: args.force ?? false,
        copyExternalData: args['copy-external-data'] ?? false,
      });
      await report(args, augmented.report);
    } finally {
      model.close();
    }
  },
};

function mainOptions<T>(yargs: Argv<T>) {
  return yargs
    .positional('model', { type: 'string', demandOption: true, describe: 'An ONNX classifier' })
    .option('output', {
      alias: 'o',
      type: 'string',
      requiresArg: true,
      demandOption: true,
      describe: 'The file to write',
    })
    .option('force', { type: 'boolean', describe: 'Replace the output if it exists' })
    .option('loss', {
      type: 'string',
      requiresArg: true,
      demandOption: true,
      choices: Object.keys(losses),
      describe: describeAll('Which loss', losses),
    })
    .option('reduction', {
      choices: REDUCTIONS,
      requiresArg: true,
      describe:
        'How the output loss combines the samples (default mean: divided by N, never by the sum of the weights)',
    });
}

function weightOptions<T>(yargs: Argv<T>) {
  return yargs
    .option('class-counts', {
      type: 'string',
      requiresArg: true,
      describe:
        'Training samples of each class: 5000,2997,… or a file: .json, .csv, or an .npy of labels, which are counted',
    })
    .option('class-weights', {
      type: 'string',
      requiresArg: true,
      describe: `${describeAll('How classes weigh', weightings)}
FILE (.json, .csv, .npy): one weight per class
Default: inverse with --class-counts, none without`,
    });
}

function describeAll(what: string, entries: Readonly<Record<string, { name: string; summary: string }>>): string {
  return [what, ...Object.values(entries).map(({ name, summary }) => `${name}: ${summary}`)].join('\n');
}

function tensorOptions<T>(yargs: Argv<T>) {
  return yargs
    .option('logits', { type: 'string', requiresArg: true, describe: 'The scores before the softmax, [N, C]' })
    .option('features', { type: 'string', requiresArg: true, describe: 'What the last linear layer reads, [N, D]' })
    .option('features-are-norm', { type: 'boolean', describe: '--features holds the norms themselves, [N] or [N, 1]' })
    .option('dynamic-batch', { type: 'boolean', describe: 'Make a fixed batch free, and prove by runs that it may be' })
    .option('rename', {
      type: 'string',
      requiresArg: true,
      describe: 'Other names for lossgraft’s inputs and outputs: labels=target,loss=ib_loss',
    })
    .option('copy-external-data', { type: 'boolean', describe: 'Copy the weights that lie in files beside the model' });
}

function examples<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .example('$0 augment net.onnx -o net-ib.onnx --loss ib --class-counts 5000,2997,1796', 'inverse class weights')
    .example('$0 augment net.onnx -o net-ib.onnx --loss ib-focal --gamma 2 --alpha 100', 'no class weights')
    .example(
      '$0 augment net.onnx -o net-ce.onnx --loss ce --class-counts labels.npy --class-weights effective --beta 0.999',
      'counts the labels',
    );
}

async function augmentOptions(args: Args): Promise<Parameters<typeof augment>[1]> {
  const { loss, reduction, logits, features, rename } = args;
  const { 'class-counts': classCounts, 'class-weights': classWeights } = args;
  const isFile = classWeights !== undefined && /\.(json|csv|npy)$/i.test(classWeights);
  return {
    ...givenLossOptions({ ...args }),
    loss,
    ...defined({
      classCounts: classCounts === undefined ? undefined : await readCounts(classCounts),
      classWeights: isFile ? await readWeights(classWeights) : classWeights,
      rename: rename === undefined ? undefined : parseRename(rename),
      reduction,
      logits,
      features,
      featuresAreNorm: args['features-are-norm'],
      dynamicBatch: args['dynamic-batch'],
    }),
  };
}

/** `labels=target,loss=ib_loss` */
function parseRename(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => {
    const [own = '', name = '', ...more] = pair.split('=').map((part) => part.trim());
    if (own === '' || name === '' || more.length > 0) {
      throw new UsageError(`--rename expects NAME=NEW,…, for example labels=target, and found "${pair}"`);
    }
    return [own, name] as const;
  });
  const names = pairs.map(([own]) => own);
  const twice = names.find((own, i) => names.indexOf(own) !== i);
  if (twice !== undefined) throw new UsageError(`--rename names ${twice} twice`);
  return Object.fromEntries(pairs);
}

async function report(args: Args & Shared, done: AugmentReport): Promise<void> {
  if (args.json) return printJson({ output: args.output, ...done });
  const { logits, features, classWeights } = done;
  const options = Object.entries(done.options).map(([key, value]) => `${kebabCase(key)} ${String(value)}`);
  const rows: (readonly [string, string])[] = [
    ['written', `${args.output}, ${statSync(args.output).size.toLocaleString('en')} bytes`],
    ['loss', [`${done.loss}, ${done.reduction} over the samples`, ...options].join(', ')],
    ['logits', `${logits.name}: ${logits.how}`],
    ...(features === null ? [] : [['features', `${features.name}: ${features.how}`] as const]),
    ['classes', done.classes === null ? 'unknown' : String(done.classes)],
    ['class weights', classWeights === null ? 'none' : `${classWeights.how}: ${shortList(classWeights.values)}`],
    ['inputs', done.inputs.join(', ')],
    ['outputs', done.outputs.join(', ')],
  ];
  await print(table([], rows));
  for (const text of done.notes) note(text);
}

function shortList(values: readonly number[]): string {
  const shown = values.slice(0, 10).map((value) => formatNumber(Number(value.toPrecision(4))));
  return values.length > 10 ? `${shown.join(', ')}, … (${values.length})` : shown.join(', ');
}
