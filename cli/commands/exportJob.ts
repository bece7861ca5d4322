import { flag, text } from '../../src/catalogue.ts';
import type { Dataset, TrainOptions } from '../../src/index.ts';
import { command } from '../command.ts';
import { noteOnce, print, printJson } from '../io.ts';
import { askedOf, optionsOf, rows } from '../trainOptions.ts';

const {
  resume: _resume,
  dryRun: _dryRun,
  writeAnyway: _anyway,
  serve: _serve,
  folder: _folder,
  output: _output,
  ...own
} = rows;

/** lossgraft export-job */
export const exportJobCommand = command({
  name: 'export-job',
  describe: 'Write a training as a folder that workers on any number of machines walk, with torchrun and without Node',
  rows: {
    ...own,
    output: text('The folder to write, on storage that all workers share', { alias: 'o', first: true, required: true }),
    batchNormPerWorker: flag('Allow BatchNorm in training mode: each worker normalises its own part of a batch', {
      needs: 'batchNorm=train',
    }),
  },
  catalogue: ['losses', 'optimizers'],
  examples: [
    ['export-job net.onnx --data train.npz -o job --loss ib --epochs 30', 'then torchrun, as job/README.md says'],
    ['collect job -o tuned.onnx', 'afterwards: judges, decides, reports and writes'],
  ],
  run: async ({ options, declared, json }, lossgraft) => {
    const { output: folder, batchNormPerWorker, ...train } = options;
    const asked = askedOf({ options: { ...train, folder }, declared, json }, lossgraft);
    const opened: Dataset[] = [];
    const model = await lossgraft.open(asked.options.model);
    try {
      const taken: TrainOptions = await optionsOf(
        asked,
        { path: folder, model: folder, copies: [] },
        lossgraft,
        opened,
      );
      const { onNote, noteRest } = noteOnce();
      const job = await lossgraft.exportJob(model, { ...taken, onNote, batchNormPerWorker });
      noteRest(job.notes);
      if (json) return await printJson(job);
      const { epochs, stepsPerEpoch, batchSize, samples } = job;
      const what = `${epochs} epochs of ${stepsPerEpoch} steps, ${samples} samples in batches of ${batchSize}`;
      await print(`written ${folder}: ${what}; ${folder}/README.md says how workers train it\n`);
    } finally {
      for (const data of opened) data.close();
      model.close();
    }
  },
});
