import { statSync } from 'node:fs';
import type { Argv } from 'yargs';
import { open, optimizers, type StepReport, trainGraph } from '../../src/index.ts';
import type { Command, Shared } from '../command.ts';
import { declareOptions, givenOptions } from '../declared.ts';
import { defined } from '../defined.ts';
import { type FileArgs, fileOptions } from '../fileOptions.ts';
import { describeAll, type GraftArgs, givenGraft, graftOptions, graftRows } from '../graftOptions.ts';
import { note, print, printJson, table } from '../io.ts';
import { settingRows } from '../manifestRows.ts';
import { checkOutput } from '../output.ts';
import { givenStep, type StepArgs, stepOptions } from '../stepOptions.ts';
import { UsageError } from '../usage.ts';

interface Args extends GraftArgs, StepArgs, FileArgs {
  optimizer: string | undefined;
  trainable: string | undefined;
  'steps-per-run': number | undefined;
  split: boolean | undefined;
  seed: number | undefined;
}

/** lossgraft train-graph */
export const trainGraphCommand: Command<Args> = {
  command: 'train-graph <model>',
  describe: 'Write a training step of a classifier as standard ONNX operators: forward, loss, backward, optimizer',
  builder: (yargs) => examples(seedOption(stepOptions(declareOptions(graftOptions(mainOptions(yargs)), 'optimizers')))),
  handler: async (args) => {
    checkOutput(args.output, { force: args.force ?? args.split ?? false, inputs: [args.model] });
    const model = await open(args.model);
    try {
      const graph = await trainGraph(model, await trainOptions(args));
      const files = await graph.write(args.output, { force: args.force ?? false });
      await report(args, graph.report, files);
    } finally {
      model.close();
    }
  },
};

function mainOptions<T>(yargs: Argv<T>) {
  const output = 'The file to write (with --split: the folder); the state goes beside it, as .safetensors';
  return fileOptions(yargs, output)
    .option('trainable', {
      type: 'string',
      requiresArg: true,
      describe:
        'head (the last linear layer, the default), all, and names, with * too, separated by commas: layer4.*,fc.*',
    })
    .option('optimizer', {
      type: 'string',
      requiresArg: true,
      choices: Object.keys(optimizers),
      describe: describeAll('Which optimizer (default sgd)', optimizers),
    })
    .option('steps-per-run', {
      type: 'number',
      requiresArg: true,
      describe: 'Several steps in one run: data, labels and learning_rate get a leading axis of this many steps',
    })
    .option('split', {
      type: 'boolean',
      describe: 'Write gradients.onnx and apply.onnx apart, so that gradients may be reduced between them',
    });
}

function seedOption<T>(yargs: Argv<T>) {
  return yargs.option('seed', { type: 'number', requiresArg: true, describe: 'Of Dropout (default 0)' });
}

function examples<T>(yargs: Argv<T>): Argv<T> {
  return yargs
    .example('$0 train-graph net.onnx -o step.onnx --loss ib --class-counts 5000,2997,1796', 'the last layer, SGD')
    .example('$0 train-graph net.onnx -o step.onnx --loss ib --trainable all --batch-norm train', 'the whole network')
    .example('$0 train-graph net.onnx -o step.onnx --loss ce --optimizer adamw --steps-per-run 20', '20 steps a run');
}

async function trainOptions(args: Args): Promise<Parameters<typeof trainGraph>[1]> {
  const { 'steps-per-run': stepsPerRun, split } = args;
  if (split && stepsPerRun !== undefined) throw new UsageError('--split and --steps-per-run exclude each other');
  if (stepsPerRun !== undefined && !(Number.isInteger(stepsPerRun) && stepsPerRun > 0)) {
    throw new UsageError(`--steps-per-run expects a whole number above 0, and found ${stepsPerRun}`);
  }
  if (args.seed !== undefined && args.dropout !== 'train')
    throw new UsageError('--seed is of use with --dropout train only');
  return {
    ...givenOptions({ ...args }, 'optimizers'),
    ...(await givenGraft(args)),
    ...givenStep(args),
    form: split ? 'split' : stepsPerRun === undefined ? 'step' : 'loop',
    ...defined({
      stepsPerRun,
      optimizer: args.optimizer,
      trainable: args.trainable,
      seed: args.seed,
    }),
  };
}

async function report(args: Args & Shared, done: StepReport, files: readonly string[]): Promise<void> {
  if (args.json) return printJson({ files, ...done });
  const slots = done.states.filter(({ kind }) => kind === 'slot').length;
  const statistics = done.states.filter(({ kind }) => kind === 'statistic').length;
  const elements = done.states
    .filter(({ kind }) => kind === 'parameter')
    .reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0);
  const rows: (readonly [string, string])[] = [
    ...files.map((file) => ['written', `${file}, ${statSync(file).size.toLocaleString('en')} bytes`] as const),
    ...graftRows(done),
    ...settingRows({ ...done }),
    ['trainable', `${done.trainable.length} tensors, ${elements.toLocaleString('en')} elements`],
    ['state', `${slots} slots, ${statistics} running statistics`],
    ...(done.unreached.length === 0 ? [] : [['not reached', done.unreached.join(', ')] as const]),
  ];
  await print(table([], rows));
  for (const text of done.notes) note(text);
}
