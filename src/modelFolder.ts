import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { LossgraftError } from './errors.ts';

/** Files that Hugging Face's libraries write beside a model, in the folder with its config.json. */
const CONFIG_FILES: readonly string[] = [
  'config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'vocab.txt',
  'merges.txt',
  'spiece.model',
  'sentencepiece.bpe.model',
  'tokenizer.model',
];

/**
 * The ONNX file that a path stands for: itself, or in a Hugging Face folder `model.onnx`, there or in `onnx`, or else the only one.
 *
 * @throws LossgraftError `model-folder` if a folder has none, or several.
 */
export function modelFileIn(path: string): string {
  if (!isFolder(path)) return path;
  const found = ['', 'onnx'].flatMap((below) => listOnnx(path, below));
  const called = found.filter((name) => basename(name) === 'model.onnx');
  const [only, ...others] = called.length > 0 ? called : found;
  if (only !== undefined && others.length === 0) return join(path, only);
  const shown = found.length === 0 ? readdirSync(path).sort() : found;
  const list = shown.slice(0, 8).join(', ') + (shown.length > 8 ? `, … (${shown.length})` : '');
  throw new LossgraftError({
    code: 'model-folder',
    where: path,
    expected: 'one model.onnx in the folder or in its onnx/, or one .onnx of another name',
    found: list || 'an empty folder',
    hint:
      only === undefined
        ? 'Export the model to ONNX into this folder, in Python: optimum-cli export onnx -m DIR DIR'
        : `Name the file that you mean, such as ${join(path, only)}`,
  });
}

function listOnnx(folder: string, below: string): string[] {
  if (!isFolder(join(folder, below))) return [];
  const names = readdirSync(join(folder, below)).sort();
  return names.flatMap((name) => (/^[^.].*\.onnx$/i.test(name) ? [join(below, name)] : []));
}

/** The Hugging Face folder that contains a model, or is it: the one with config.json. `undefined` if there is none. */
export function configFolder(model: string): string | undefined {
  const own = isFolder(model) ? model : dirname(model);
  const above = basename(resolve(own)) === 'onnx' ? [dirname(resolve(own))] : [];
  return [own, ...above].find((folder) => isFile(join(folder, 'config.json')));
}

/** The names of the files in a folder that describe the model's preprocessing and classes. */
export function configFilesIn(folder: string): readonly string[] {
  return CONFIG_FILES.filter((name) => isFile(join(folder, name)));
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

export function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
