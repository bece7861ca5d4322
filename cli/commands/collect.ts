import { join } from 'node:path';
import { flag, text } from '../../src/catalogue.ts';
import { command } from '../command.ts';
import { runTrain } from './train.ts';

/** lossgraft collect */
export const collectCommand = command({
  name: 'collect',
  describe: 'Judge what workers trained of a job, and write the tuned model, as train does after its own steps',
  rows: {
    job: text('The folder that export-job wrote', { positional: 'one', required: true }),
    output: text('The tuned model to write', { alias: 'o', first: true, required: true }),
    force: flag('Replace an existing output', { first: true }),
    writeAnyway: flag('Write the tuned model even if it is not shown to be better than the given one', { first: true }),
  },
  examples: [['collect job -o tuned.onnx', 'the model and the data must be where they were, unchanged']],
  run: async ({ options: { job, ...how }, declared, json }, lossgraft) => {
    const given = { ...how, config: join(job, 'run/run.json'), folder: job };
    await runTrain({ options: given, declared, json }, lossgraft, lossgraft.collectJob);
  },
});
