import { join } from 'node:path';
import { openFile } from '../files/source.ts';
import { configFolder, isFile, modelFileIn } from '../modelFolder.ts';
import { scan } from '../onnx/index.ts';
import type { DataKind, DataOptions } from './options.ts';

/** The options found in files beside the model, with a note for each. */
export interface FromModel {
  readonly options: DataOptions;
  readonly notes: readonly string[];
}

/** Whether a table holds texts because there is a tokenizer beside the model. */
export function readsTexts({ model, featureColumns }: DataOptions): boolean {
  const folder = model === undefined || featureColumns !== undefined ? undefined : configFolder(model);
  return folder !== undefined && isFile(join(folder, 'tokenizer.json'));
}

const PREPARED = ['preprocess', 'resize', 'resample', 'crop', 'channels', 'mean', 'std'] as const;

/** The options, completed from the Hugging Face files beside the model. Explicit options win. */
export function withModelFiles(kind: DataKind, options: DataOptions): FromModel {
  const { model } = options;
  const folder = model === undefined ? undefined : configFolder(model);
  if (model === undefined || folder === undefined) return { options, notes: [] };
  if (kind === 'images' || kind === 'csvImages' || kind === 'parquetImages') return prepared(folder, options);
  const isText = kind === 'texts' || kind === 'csvTexts' || kind === 'parquetTexts';
  if (!isText || options.tokenizer !== undefined) return { options, notes: [] };
  const path = join(folder, 'tokenizer.json');
  if (!isFile(path)) return { options, notes: [`${folder} has no tokenizer.json`] };
  const maxLength = options.maxLength ?? fixedLength(model);
  return {
    options: { ...options, tokenizer: folder, ...(maxLength === undefined ? {} : { maxLength }) },
    notes: [`Texts are tokenized as ${path} says`],
  };
}

function prepared(folder: string, options: DataOptions): FromModel {
  const path = join(folder, 'preprocessor_config.json');
  const own = PREPARED.filter((key) => options[key] !== undefined);
  if (!isFile(path)) {
    const notes = own.length > 0 ? [] : [`${folder} has no preprocessor_config.json: bytes become 0…1, and no more`];
    return { options, notes };
  }
  if (own.length > 0) return { options, notes: own[0] === 'preprocess' ? [] : [`Options count, and ${path} does not`] };
  return { options: { ...options, preprocess: path }, notes: [`Images are prepared as ${path} says`] };
}

/** The sequence length that a model fixes. */
function fixedLength(model: string): number | undefined {
  const source = openFile(modelFileIn(model));
  try {
    const { inputs, initializers } = scan(source).graph;
    const constants = new Set(initializers.map(({ name }) => name));
    const tokens = inputs.filter(({ name, type }) => !constants.has(name) && type?.shape?.length === 2);
    const [length] = tokens.flatMap(({ type }) => (typeof type?.shape?.[1] === 'number' ? [type.shape[1]] : []));
    return length;
  } finally {
    source.close();
  }
}
