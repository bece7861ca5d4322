import { flag, text } from '../src/catalogue.ts';

/** The file that a command reads. */
export const modelRow = text('An ONNX classifier, or a folder of Hugging Face with one', {
  positional: 'one',
  isInput: true,
  required: true,
});

/** Any classifier: nothing has to be trainable in it. */
export const classifierRow = {
  ...modelRow,
  describe: 'Any ONNX classifier, or a Hugging Face folder with one',
} as const;

/** What a command that makes a file of a model takes; `output` says what is written. */
export function fileRows(output: string) {
  return {
    model: modelRow,
    output: text(output, { alias: 'o', required: true }),
    force: flag('Replace the output if it exists', { first: true }),
  } as const;
}
