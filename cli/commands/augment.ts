import { statSync } from 'node:fs';
import { augmentRows, flag, pick } from '../../src/catalogue.ts';
import type { AugmentOptions, AugmentReport } from '../../src/index.ts';
import { command } from '../command.ts';
import { fileRows } from '../fileOptions.ts';
import { graftRows } from '../graftReport.ts';
import { note, print, printJson, table } from '../io.ts';
import { checkOutput } from '../output.ts';

/** lossgraft augment */
export const augmentCommand = command({
  name: 'augment',
  describe:
    'Graft a loss onto a classifier: adds the input labels, and the outputs loss, loss_per_sample and those of the loss',
  rows: {
    ...fileRows('The file to write'),
    ...augmentRows,
    copyExternalData: flag('Also copy weights stored in files beside the model', {}),
  },
  catalogue: ['losses'],
  examples: [
    ['augment net.onnx -o net-ib.onnx --loss ib --class-counts 5000,2997,1796', 'inverse class weights'],
    ['augment net.onnx -o net-ib.onnx --loss ib-focal --gamma 2 --alpha 100', 'no class weights'],
    [
      'augment net.onnx -o net-ce.onnx --loss ce --class-counts labels.npy --class-weights effective --beta 0.999',
      'counts the labels',
    ],
  ],
  run: async ({ options, declared, json }, lossgraft) => {
    const { model: path, output, force = false, copyExternalData = false } = options;
    checkOutput(lossgraft, output, { force, inputs: [path] });
    const model = await lossgraft.open(path);
    try {
      const augmented = await lossgraft.augment(model, {
        ...declared,
        ...pick(augmentRows, options),
      } as AugmentOptions);
      await augmented.write(output, { force, copyExternalData });
      await report(output, json, augmented.report);
    } finally {
      model.close();
    }
  },
});

async function report(output: string, json: boolean, done: AugmentReport): Promise<void> {
  if (json) return printJson({ output, ...done });
  const rows: (readonly [string, string])[] = [
    ['written', `${output}, ${statSync(output).size.toLocaleString('en')} bytes`],
    ...graftRows(done),
    ['inputs', done.inputs.join(', ')],
    ['outputs', done.outputs.join(', ')],
  ];
  await print(table([], rows));
  for (const text of done.notes) note(text);
}
