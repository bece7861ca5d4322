import { existsSync } from 'node:fs';
import { dataRows, flag, type OptionsOf, pick, type Row, text, trainRows } from '../../src/catalogue.ts';
import type { DataParts, Dataset, TrainOptions, TrainResult } from '../../src/index.ts';
import { command, type Door, type Given } from '../command.ts';
import { dataOptionRows, openFurther } from '../dataOptions.ts';
import { STATUS } from '../failure.ts';
import { fileRows } from '../fileOptions.ts';
import { note, noteOnce, print, printJson } from '../io.ts';
import { checkOutput } from '../output.ts';
import { describeWaiting, trainWatch } from '../trainReport.ts';
import { describeDecision, describeTraining } from '../trainTables.ts';
import { checkTuned, copyConfig, makeFolders, type TunedOutput, tunedOutput } from '../tunedOutput.ts';

/** What a shell expects of a program that Ctrl-C ended: 128 + SIGINT. */
const INTERRUPTED = STATUS.interrupted.code;

/** An option that takes data: here it is a path. */
const path = ({ describe }: Row) => text(describe, { first: true });

const rows = {
  ...fileRows('The tuned model to write'),
  output: text(
    'The tuned model to write (default: NAME-tuned.onnx beside NAME.onnx; for a folder NAME, a folder NAME-tuned with its config files)',
    { alias: 'o', first: true },
  ),
  ...dataOptionRows,
  ...trainRows,
  data: dataOptionRows.data,
  validation: path(trainRows.validation),
  test: path(trainRows.test),
  folder: { ...trainRows.folder, required: false } as const,
  resume: flag('Continue the run in that folder; the result is the same as without the interruption', { first: true }),
  force: flag('Replace an existing output, and start an existing run again', { first: true }),
  writeAnyway: flag('Write the tuned model even where it is not shown to be better than the one before', {
    first: true,
  }),
};

/** lossgraft train */
export const trainCommand = command({
  name: 'train',
  describe: 'Fine-tune a classifier, evaluate it on held-out data, and write the weights into a copy of its file',
  rows,
  catalogue: ['losses', 'optimizers'],
  examples: [
    ['train ./vit --data images/', 'a Hugging Face folder and images in class folders; writes ./vit-tuned'],
    ['train net.onnx --data train.npz -o tuned.onnx --baseline', 'also try class-weighted cross-entropy'],
    [
      'train net.onnx --data train.npz -o tuned.onnx --epochs 12 --ib-from 8 --ib-rate-factor 0.2 --alpha auto',
      'cross-entropy for 8 epochs, then ib for 4',
    ],
    ['train net.onnx --data train.npz -o tuned.onnx --resume', 'resume after Ctrl-C or a crash'],
  ],
  epilogue:
    'Ctrl-C saves a checkpoint and exits with status 130. A second Ctrl-C exits at once, and --resume then continues from the ' +
    'previous checkpoint.',
  run: async (given, lossgraft) => {
    const { options, json } = given;
    const output = tunedOutput(lossgraft, options.model, options.output);
    checkOutputs(options, output, lossgraft);
    const opened: Dataset[] = [];
    const model = await lossgraft.open(options.model);
    const watch = trainWatch();
    const stop = new AbortController();
    const interrupt = (): void => {
      watch.stop();
      note('stopping after this step; press Ctrl-C again to exit at once');
      stop.abort();
    };
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    try {
      const { onProgress, onEpoch, onFeatures } = watch;
      const asked = await optionsOf(given, output, lossgraft, opened);
      const { said, onNote } = noteOnce();
      const how = { onNote, onProgress, onEpoch, onFeatures, signal: stop.signal };
      const result = await lossgraft.train(model, { ...asked, ...how });
      watch.stop();
      await finish(options, output, json, result, said);
    } finally {
      watch.stop();
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      for (const data of opened) data.close();
      model.close();
    }
  },
});

type Options = OptionsOf<typeof rows>;

function checkOutputs(
  { model, data, test, validation, report, force, resume }: Options,
  output: TunedOutput,
  door: Door,
): void {
  const inputs = [door.modelFileIn(model), data, test, validation].filter((path) => path !== undefined);
  checkTuned(door, output, { force: force ?? false, inputs });
  if (typeof report !== 'string') return;
  checkOutput(door, report, { force: (force || resume) ?? false, inputs: [...inputs, output.model] });
}

/** What the command line says, as the library takes it; data are opened, to be closed by the caller. */
async function optionsOf(
  { options, declared }: Given<typeof rows>,
  output: TunedOutput,
  door: Door,
  opened: Dataset[],
): Promise<TrainOptions> {
  const { folder = `${output.path.replace(/\.onnx$|[\\/]+$/, '')}.run`, resume, force } = options;
  const how = pick(dataRows, options);
  const parts = door.dataParts(options.data);
  if (parts !== undefined) note(describeParts(parts, options));
  const data = await door.openData(parts?.data ?? options.data, how);
  opened.push(data);
  const open = async (path: string): Promise<Dataset> => {
    const further = await openFurther(door, path, how);
    opened.push(further);
    return further;
  };
  const { validation = parts?.validation, test = parts?.test, ...others } = options;
  return {
    ...declared,
    ...pick(trainRows, others),
    data,
    folder,
    mode: resume ? 'resume' : force ? 'replace' : 'new',
    ...(validation === undefined
      ? {}
      : { validation: isShare(validation) ? Number(validation) : await open(validation) }),
    ...(test === undefined ? {} : { test: await open(test) }),
  } as TrainOptions;
}

/** What becomes of the parts of a folder. */
function describeParts(parts: DataParts, { data, validation, test }: Options): string {
  const used = [
    `${parts.data} to train`,
    ...(parts.validation === undefined || validation !== undefined
      ? []
      : [`${parts.validation} to choose the epoch by`]),
    ...(parts.test === undefined || test !== undefined ? [] : [`${parts.test} to judge at the end`]),
  ];
  const shares =
    (parts.validation ?? validation) === undefined ? '; a share of the first is held out to choose the epoch by' : '';
  return `${data} is divided: ${used.join(', ')}${shares}`;
}

function isShare(validation: string): boolean {
  return !existsSync(validation) && Number.isFinite(Number(validation));
}

async function finish(
  { force = false, writeAnyway: anyway = false }: Options,
  output: TunedOutput,
  json: boolean,
  result: TrainResult,
  said: ReadonlySet<string>,
): Promise<void> {
  for (const text of result.notes) if (!said.has(text)) note(text);
  const page = result.report === null ? '' : `; the report is ${result.report}`;
  if (result.interrupted) {
    note(`the checkpoint is in ${result.folder}; the same command with --resume continues it${page}`);
    process.exitCode = INTERRUPTED;
    return;
  }
  const isTaken = result.decision?.taken != null;
  const files = isTaken || anyway ? await writeTo(output, result, { force, anyway }) : [];
  const { write: _write, ...rest } = result;
  if (json) await printJson({ files, ...rest });
  else {
    const done = files.length === 0 ? 'nothing is written' : `written ${files.join(', ')}`;
    await print(
      `${describeTraining(result)}\n${describeDecision(result)}\n${done}; checkpoints and metrics.jsonl in ${result.folder}${page}${describeWaiting(result.history)}\n`,
    );
  }
  if (files.length > 0) return;
  note(
    `${output.model} is not written, ${result.decision?.why}; --write-anyway writes it, and --validation gives other data to judge by`,
  );
  process.exitCode = STATUS.failed.code;
}

async function writeTo(
  output: TunedOutput,
  result: TrainResult,
  how: { readonly force: boolean; readonly anyway: boolean },
): Promise<readonly string[]> {
  makeFolders(output);
  return [...(await result.write(output.model, how)), ...(await copyConfig(output))];
}
