import { flag, text } from '../src/catalogue.ts';

/** The file that a command reads. */
export const modelRow = text('An ONNX classifier, or a Hugging Face folder with one', {
  positional: 'one',
  isInput: true,
  required: true,
});

/** Any classifier: it need not be trainable. */
export const classifierRow = {
  ...modelRow,
  describe: 'Any ONNX classifier, or a Hugging Face folder with one',
} as const;

/** The options of a command that writes a model; `output` describes what is written. */
export function fileRows(output: string) {
  return {
    model: modelRow,
    output: text(output, { alias: 'o', required: true }),
    force: flag('Replace the output if it exists', { first: true }),
  } as const;
}
