import { type Dataset, open, type TrainResult, train } from '../../src/index.ts';
import type { Command, Shared } from '../command.ts';
import { note, print, printJson } from '../io.ts';
import { checkOutput } from '../output.ts';
import { givenTrain, type TrainArgs, trainOptions } from '../trainOptions.ts';
import { describeTraining, describeWaiting, trainWatch } from '../trainReport.ts';

/** What a shell expects of a program that Ctrl-C ended: 128 + SIGINT. */
const INTERRUPTED = 130;

/** lossgraft train */
export const trainCommand: Command<TrainArgs> = {
  command: 'train <model>',
  describe: 'Fine-tune a classifier on data, judged by balanced accuracy, and write the weights back into its file',
  builder: (yargs) =>
    trainOptions(yargs)
      .example('$0 train net.onnx --data train.npz -o tuned.onnx --baseline', 'ib and class-weighted cross-entropy')
      .example(
        '$0 train net.onnx --data train.npz -o tuned.onnx --epochs 12 --ib-from 8 --ib-rate-factor 0.2 --alpha auto',
        'cross-entropy for 8 epochs, then ib for 4',
      )
      .example('$0 train net.onnx --data train.npz -o tuned.onnx --resume', 'go on after Ctrl-C or a crash')
      .epilogue(
        'Ctrl-C saves a checkpoint and leaves with exit status 130; a second one leaves at once, and --resume goes on from the ' +
          'checkpoint before.',
      ),
  handler: async (args) => {
    const inputs = [args.model, args.data, args.test, args.validation].filter((path) => path !== undefined);
    checkOutput(args.output, { force: args.force ?? false, inputs });
    if (args.report !== undefined) {
      checkOutput(args.report, { force: (args.force || args.resume) ?? false, inputs: [...inputs, args.output] });
    }
    const opened: Dataset[] = [];
    const model = await open(args.model);
    const watch = trainWatch();
    const stop = new AbortController();
    const interrupt = (): void => {
      watch.stop();
      note('ending after this step; Ctrl-C again leaves at once');
      stop.abort();
    };
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    try {
      const { onProgress, onEpoch, onFeatures } = watch;
      const options = await givenTrain(args, opened);
      const result = await train(model, { ...options, onProgress, onEpoch, onFeatures, signal: stop.signal });
      watch.stop();
      await finish(args, result);
    } finally {
      watch.stop();
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      for (const data of opened) data.close();
      model.close();
    }
  },
};

async function finish(args: TrainArgs & Shared, result: TrainResult): Promise<void> {
  for (const text of result.notes) note(text);
  const page = result.report === null ? '' : `; the report is ${result.report}`;
  if (result.interrupted) {
    note(`the checkpoint is in ${result.folder}; the same command with --resume goes on${page}`);
    process.exitCode = INTERRUPTED;
    return;
  }
  const files = await result.write(args.output, { force: args.force ?? false });
  const { write: _write, ...rest } = result;
  if (args.json) await printJson({ files, ...rest });
  else
    await print(
      `${describeTraining(result)}\nwritten ${files.join(', ')}; checkpoints and metrics.jsonl in ${result.folder}${page}${describeWaiting(result.history)}\n`,
    );
}
