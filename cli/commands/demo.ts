import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { flag, text } from '../../src/catalogue.ts';
import type { TrainResult } from '../../src/index.ts';
import { command } from '../command.ts';
import { STATUS } from '../failure.ts';
import { print } from '../io.ts';
import { runTrain } from './train.ts';

const FOLDER = 'lossgraft-demo';

const rows = {
  output: text(`The folder to write (default: ${FOLDER})`, { alias: 'o', first: true }),
  force: flag('Replace what an earlier demo wrote', { first: true }),
};

/** The model and the data in the package, and their names here. */
const FILES = { 'model.onnx': 'digits.onnx', 'collected.npz': 'collected.npz', 'test.npz': 'test.npz' } as const;

/** lossgraft demo */
export const demoCommand = command({
  name: 'demo',
  describe: 'Fine-tune a small model that comes with lossgraft, and see what that gains; needs no network',
  rows,
  examples: [['demo', `write ${FOLDER}/ with the tuned model and the report`]],
  run: async ({ options, json }, lossgraft) => {
    const folder = options.output ?? FOLDER;
    const { model, data, test } = copyInto(folder);
    const output = join(folder, 'tuned.onnx');
    const shown = `lossgraft train ${model} --data ${data} --test ${test} -o ${output}`;
    if (!json) await print(`${STORY}\n$ ${shown}\n`);
    const given = { model, data, test, output, ...(options.force ? { force: true } : {}) };
    const result = await runTrain({ options: given, declared: {}, json }, lossgraft);
    if (!json && result !== undefined && !result.interrupted)
      await print(endOf(result, folder, process.exitCode === STATUS.failed.code));
  },
});

const STORY = `A small network reads handwritten digits. It was trained when few images of the higher digits were there, and it
often fails on them. Since then 981 images came in; this time few are zeros. lossgraft trains on four fifths of them,
decides by the others whether the result is better, and judges it on 400 images that neither the network nor the
training has seen.
`;

/** Copies the model and the data of the demo. */
function copyInto(folder: string): { readonly model: string; readonly data: string; readonly test: string } {
  const own = join(dirname(fileURLToPath(import.meta.resolve('lossgraft/package.json'))), 'fixtures/digits');
  mkdirSync(folder, { recursive: true });
  for (const [from, to] of Object.entries(FILES)) copyFileSync(join(own, from), join(folder, to));
  return {
    model: join(folder, FILES['model.onnx']),
    data: join(folder, FILES['collected.npz']),
    test: join(folder, FILES['test.npz']),
  };
}

/** What was gained, and what to do next. */
function endOf({ before, arms }: TrainResult, folder: string, isRefused: boolean): string {
  const [given, after] = [before.test, arms[0]?.test];
  const right = (accuracy: number, samples: number): number => Math.round(accuracy * samples);
  const gained =
    isRefused || !given || !after
      ? ''
      : `\nOf ${given.samples} new images it reads ${right(after.accuracy, after.samples)}, before ${right(given.accuracy, given.samples)}.\n`;
  return `${gained}
Next:
  open ${join(folder, 'tuned.run/report.html')} in a browser: what was gained, what it cost, class by class
  lossgraft inspect MODEL.onnx              what your own model is, and what can be trained
  lossgraft train MODEL.onnx --data DATA    train it: DATA is a folder of images or texts, a table, or arrays
  lossgraft train --help                    what a first run needs
`;
}
