import type { Dataset, Rehearsal, TrainResult } from '../../src/index.ts';
import { command, type Door, type Given } from '../command.ts';
import { STATUS } from '../failure.ts';
import { onInterrupt } from '../interrupt.ts';
import { note, noteOnce, print, printJson } from '../io.ts';
import { checkOutput } from '../output.ts';
import { describeRehearsal } from '../rehearsalTable.ts';
import { describeSeeds } from '../seedTables.ts';
import { type Asked, askedOf, optionsOf, rows } from '../trainOptions.ts';
import { describeWaiting, trainWatch } from '../trainReport.ts';
import { describeDecision, describeTraining } from '../trainTables.ts';
import { checkTuned, copyConfig, makeFolders, type TunedOutput, tunedOutput } from '../tunedOutput.ts';

/** The status of a program that Ctrl-C ended: 128 + SIGINT. */
const INTERRUPTED = STATUS.interrupted.code;

/** lossgraft train */
export const trainCommand = command({
  name: 'train',
  describe: 'Fine-tune a classifier, evaluate it on held-out data, and write the weights into a copy of its file',
  rows,
  catalogue: ['losses', 'optimizers'],
  examples: [
    ['train ./vit --data images/', 'a Hugging Face folder and images in class folders; writes ./vit-tuned'],
    ['train net.onnx --data train.npz -o tuned.onnx --method auto', 'several methods; the best is kept'],
    ['train net.onnx --data train.csv --label-column kind --loss ib', 'a table, and a loss of your choice'],
    ['train ./vit --data images/ --head new', 'the classes of the data in place of the model’s'],
    ['train --resume tuned.run', 'resume after Ctrl-C or a crash'],
    ['train --resume tuned.run --epochs 20 -o longer.onnx', 'train a run further'],
    ['train --config tuned.run/run.json -o again.onnx', 'repeat a run'],
  ],
  epilogue:
    'Ctrl-C saves a checkpoint and exits with status 130, as SIGTERM does, and SIGHUP when a terminal closes. A second Ctrl-C exits ' +
    'at once, and --resume then continues from the previous checkpoint. run.json in the run’s folder records every option with its source, and a digest of the data.',
  run: async (given, lossgraft) => {
    await runTrain(given, lossgraft);
  },
});

/** Trains as the command line requests, or does what else takes the options of a training. @returns the figures; `undefined` for a dry run. */
export async function runTrain(
  given: Given<typeof rows>,
  lossgraft: Door,
  train: Door['train'] = lossgraft.train,
): Promise<TrainResult | undefined> {
  const asked = askedOf(given, lossgraft);
  const { options } = asked;
  const output = tunedOutput(lossgraft, options.model, options.output, changesHead(options));
  checkOutputs(options, output, lossgraft);
  const opened: Dataset[] = [];
  const model = await lossgraft.open(options.model);
  const watch = trainWatch();
  const stop = new AbortController();
  const ignore = onInterrupt(() => {
    watch.stop();
    stop.abort();
  });
  try {
    const { onProgress, onEpoch, onFeatures } = watch;
    const taken = await optionsOf(asked, output, lossgraft, opened);
    const { onNote, noteRest } = noteOnce();
    if (options.dryRun) {
      const rehearsal = await lossgraft.rehearse(model, { ...taken, onNote, signal: stop.signal });
      await finishDry(output, String(taken.folder), given.json, rehearsal, noteRest);
      return undefined;
    }
    const how = { onNote, onProgress, onEpoch, onFeatures, signal: stop.signal };
    const result = await train(model, { ...taken, ...how });
    watch.stop();
    await finish(lossgraft, options, output, given.json, result, noteRest);
    return result;
  } finally {
    watch.stop();
    ignore();
    for (const data of opened) data.close();
    model.close();
  }
}

type Options = Asked['options'];

function checkOutputs(
  { model, data, test, validation, report, force, resume }: Options,
  output: TunedOutput,
  door: Door,
): void {
  const inputs = [door.modelFileIn(model), data, test, validation].filter((path) => typeof path === 'string');
  checkTuned(door, output, { force: force ?? false, inputs });
  if (typeof report !== 'string') return;
  checkOutput(door, report, { force: (force ?? false) || resume !== undefined, inputs: [...inputs, output.model] });
}

/** Whether the model gets other classes. */
function changesHead({ head, addClasses, keepClasses }: Options): boolean {
  return head !== undefined || addClasses !== undefined || keepClasses !== undefined;
}

async function finish(
  door: Door,
  { force = false, writeAnyway: anyway = false }: Options,
  output: TunedOutput,
  json: boolean,
  result: TrainResult,
  noteRest: (notes: readonly string[]) => void,
): Promise<void> {
  noteRest(result.notes);
  const page = result.report === null ? '' : `; the report is ${result.report}`;
  if (result.interrupted) {
    note(`the checkpoint is in ${result.folder}; lossgraft train --resume ${result.folder} continues it${page}`);
    process.exitCode = INTERRUPTED;
    return;
  }
  const { taken = null, startIsWritten = false } = result.decision ?? {};
  const isWritten = taken !== null || startIsWritten || anyway;
  const files = isWritten ? await writeTo(door, output, result, { force, anyway }) : [];
  const { write: _write, ...rest } = result;
  if (json) await printJson({ files, ...rest });
  else {
    const done = files.length === 0 ? 'nothing is written' : `written ${files.join(', ')}`;
    await print(
      `${result.seeds ? `${describeSeeds(result.seeds)}\n` : ''}${describeTraining(result)}\n${describeDecision(result)}\n${done}; checkpoints and metrics.jsonl in ${result.folder}${page}${describeWaiting(result.history)}\n`,
    );
  }
  if (files.length > 0) return;
  note(
    `${output.model} is not written: ${result.decision?.why}; --write-anyway writes it, or pass other data to judge it with --validation`,
  );
  process.exitCode = STATUS.failed.code;
}

async function finishDry(
  output: TunedOutput,
  folder: string,
  json: boolean,
  rehearsal: Rehearsal,
  noteRest: (notes: readonly string[]) => void,
): Promise<void> {
  noteRest(rehearsal.notes);
  const files = [output.model, ...output.copies.map(({ to }) => to)];
  if (json) await printJson({ files, folder, ...rehearsal });
  else await print(describeRehearsal(rehearsal, files, folder));
}

async function writeTo(
  door: Door,
  output: TunedOutput,
  result: TrainResult,
  how: { readonly force: boolean; readonly anyway: boolean },
): Promise<readonly string[]> {
  makeFolders(output);
  const { changedHead } = result;
  const names = changedHead ? (changedHead.names ?? changedHead.sources.map((_, k) => String(k))) : undefined;
  return [...(await result.write(output.model, how)), ...(await copyConfig(door, output, names))];
}
