import { gradients } from '../graphs/gradients/index.ts';
import { type Inspection, type InspectOptions, inspect as inspectWith } from './inspect.ts';
import { type OpenedModel, type OpenOptions, opened, open as openModel, sealed } from './model.ts';
import { checkOptions } from './options/check.ts';
import { inspectRows } from './tables/inspect.ts';

/*
 * A door to what only looks at a model: the command line's `inspect` starts with a third of the modules.
 */

/**
 * Opens an ONNX model: a file, a Hugging Face folder with one (`model.onnx`, there or in `onnx/`), or bytes; `using` closes it.
 *
 * @throws LossgraftError if the file is missing, truncated or not an ONNX model.
 */
export async function open(file: string | Uint8Array, options: OpenOptions = {}): Promise<OpenedModel> {
  return sealed(await openModel(file, options));
}

/**
 * Reports what a model is: formats, inputs and outputs, logits and features with how they were found, operators and whether the CUDA
 * provider has them, what is trainable, and which gradient rules are missing.
 *
 * @throws LossgraftError if the model cannot be read, or ONNX Runtime refuses it.
 */
export async function inspect(model: OpenedModel, options: InspectOptions = {}): Promise<Inspection> {
  checkOptions(inspectRows, options);
  return inspectWith(opened(model), gradients, options);
}
