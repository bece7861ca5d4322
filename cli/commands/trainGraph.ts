import { statSync } from 'node:fs';
import { pick, trainGraphRows } from '../../src/catalogue.ts';
import type { StepReport, TrainGraphOptions } from '../../src/index.ts';
import { command } from '../command.ts';
import { fileRows } from '../fileOptions.ts';
import { graftRows } from '../graftReport.ts';
import { note, print, printJson, table } from '../io.ts';
import { settingRows } from '../manifestRows.ts';
import { checkOutput } from '../output.ts';

/** lossgraft train-graph */
export const trainGraphCommand = command({
  name: 'train-graph',
  describe: 'Write a training step of a classifier as standard ONNX operators: forward, loss, backward, optimizer',
  rows: {
    ...fileRows('The file to write (a folder with --split). The state goes beside it, as .safetensors'),
    ...trainGraphRows,
  },
  catalogue: ['losses', 'optimizers'],
  examples: [
    ['train-graph net.onnx -o step.onnx --loss ib --class-counts 5000,2997,1796', 'the last layer, SGD'],
    ['train-graph net.onnx -o step.onnx --loss ib --trainable all --batch-norm train', 'the whole network'],
    ['train-graph net.onnx -o step.onnx --loss ce --optimizer adamw --steps-per-run 20', '20 steps a run'],
  ],
  run: async ({ options, declared, json }, lossgraft) => {
    const { model: path, output, force = false, form, stepsPerRun } = options;
    checkOutput(lossgraft, output, { force: force || form === 'split', inputs: [path] });
    const model = await lossgraft.open(path);
    try {
      const graph = await lossgraft.trainGraph(model, {
        form: stepsPerRun === undefined ? 'step' : 'loop',
        ...declared,
        ...pick(trainGraphRows, options),
      } as TrainGraphOptions);
      const files = await graph.write(output, { force });
      await report(json, graph.report, files);
    } finally {
      model.close();
    }
  },
});

async function report(json: boolean, done: StepReport, files: readonly string[]): Promise<void> {
  if (json) return printJson({ files, ...done });
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
