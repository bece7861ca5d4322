import { exportRows, text } from '../../src/catalogue.ts';
import { command } from '../command.ts';
import { print, printJson } from '../io.ts';

/** lossgraft export */
export const exportCommand = command({
  name: 'export',
  describe: 'Write the model of any loss of a finished run, whatever the run decided',
  rows: {
    run: text('The folder of a run', { positional: 'one', required: true }),
    output: text('The tuned model to write', { alias: 'o', required: true }),
    ...exportRows,
  },
  examples: [['export tuned.run --arm ce+inverse -o weighted.onnx', 'the baseline of a run']],
  run: async ({ options, json }, { exportRun }) => {
    const { run, output, ...how } = options;
    const files = await exportRun(run, output, how);
    await (json ? printJson({ files }) : print(`written ${files.join(', ')}\n`));
  },
});
