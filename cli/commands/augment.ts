import { statSync } from 'node:fs';
import type { Argv } from 'yargs';
import { type AugmentReport, augment, open, type Reduction } from '../../src/index.ts';
import type { Command, Shared } from '../command.ts';
import { defined } from '../defined.ts';
import { type FileArgs, fileOptions } from '../fileOptions.ts';
import { type GraftArgs, givenGraft, graftOptions, graftRows } from '../graftOptions.ts';
import { note, print, printJson, table } from '../io.ts';
import { checkOutput } from '../output.ts';

interface Args extends GraftArgs, FileArgs {
  reduction: Reduction | undefined;
  'dynamic-batch': boolean | undefined;
  grad: string | undefined;
  'copy-external-data': boolean | undefined;
}

const REDUCTIONS: readonly Reduction[] = ['mean', 'sum', 'none'];

/** lossgraft augment */
export const augmentCommand: Command<Args> = {
  command: 'augment <model>',
  describe: 'Graft a loss onto a classifier: input labels, outputs loss, loss_per_sample and what the loss adds',
  builder: (yargs) => examples(modelOptions(graftOptions(mainOptions(yargs)))),
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
  return fileOptions(yargs, 'The file to write').option('reduction', {
    choices: REDUCTIONS,
    requiresArg: true,
    describe: 'How the output loss combines the samples (default mean: divided by N, never by the sum of the weights)',
  });
}

function modelOptions<T>(yargs: Argv<T>) {
  return yargs
    .option('dynamic-batch', { type: 'boolean', describe: 'Make a fixed batch free, and prove by runs that it may be' })
    .option('grad', {
      type: 'string',
      requiresArg: true,
      describe: 'Give gradients too, as outputs TENSOR.grad: logits, features, parameters, or names of tensors',
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
  return {
    ...(await givenGraft(args)),
    ...defined({
      reduction: args.reduction,
      dynamicBatch: args['dynamic-batch'],
      grad: args.grad?.split(',').map((name) => name.trim()),
    }),
  };
}

async function report(args: Args & Shared, done: AugmentReport): Promise<void> {
  if (args.json) return printJson({ output: args.output, ...done });
  const rows: (readonly [string, string])[] = [
    ['written', `${args.output}, ${statSync(args.output).size.toLocaleString('en')} bytes`],
    ...graftRows(done),
    ['inputs', done.inputs.join(', ')],
    ['outputs', done.outputs.join(', ')],
  ];
  await print(table([], rows));
  for (const text of done.notes) note(text);
}
