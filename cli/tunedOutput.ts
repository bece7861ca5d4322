import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { LossgraftError } from '../src/catalogue.ts';
import type { Door } from './command.ts';
import { checkOutput, writeWhole } from './output.ts';

/** Where a tuned model is written, and the files beside it. */
export interface TunedOutput {
  /** The path the user gave: a file or a folder. */
  readonly path: string;
  /** The ONNX file. */
  readonly model: string;
  /** The files of a model's folder that describe its preprocessing, and their copies beside the tuned model. */
  readonly copies: readonly { readonly from: string; readonly to: string }[];
}

/**
 * For a file `net.onnx` it is `net-tuned.onnx` beside it; for a folder `vit` it is the folder `vit-tuned`, with the model in the same
 * place and copies of its config files. If the output ends in .onnx, it is that file, with the copies in its folder.
 *
 * @throws LossgraftError `model-folder`
 */
export function tunedOutput(
  { configFilesIn, isFolder, modelFileIn }: Door,
  model: string,
  given?: string,
  isRelabelled = false,
): TunedOutput {
  if (!isFolder(model)) {
    const path = given ?? `${model.replace(/\.onnx$/i, '')}-tuned.onnx`;
    return { path, model: path, copies: [] };
  }
  const file = relative(model, modelFileIn(model));
  const name = basename(model) === '.' || basename(model) === '..' ? basename(resolve(model)) : basename(model);
  const path = given ?? join(dirname(name === basename(model) ? model : resolve(model)), `${name}-tuned`);
  const isFile = /\.onnx$/i.test(path);
  const folder = isFile ? dirname(path) : path;
  const copies = configFilesIn(model).map((own) => ({ from: join(model, own), to: join(folder, own) }));
  return {
    path,
    model: isFile ? path : join(path, file),
    copies: copies.filter(({ from, to }) => !isSame(from, to, isRelabelled)),
  };
}

/**
 * Checks before the work that everything can be written. @throws LossgraftError as `checkOutput` does, and `output-exists` for differing
 * config files.
 */
export function checkTuned(
  door: Door,
  { path, model, copies }: TunedOutput,
  options: { readonly force: boolean; readonly inputs: readonly string[] },
): void {
  if (path === model || door.isFolder(dirname(model))) checkOutput(door, model, options);
  else if (!door.isFolder(path)) checkOutput(door, path, { ...options, force: false });
  const other = options.force ? undefined : copies.find(({ to }) => existsSync(to));
  if (other === undefined) return;
  throw new LossgraftError({
    code: 'output-exists',
    where: other.to,
    expected: `a folder where the model's ${basename(other.from)} can be copied to`,
    found: 'another file with that name',
    hint:
      path === model
        ? 'Choose another folder: -o DIR/ takes the model and its files'
        : 'Choose another name, or add --force',
  });
}

/** Makes the folders of the tuned model. */
export function makeFolders({ model }: TunedOutput): void {
  mkdirSync(dirname(model), { recursive: true });
}

/**
 * Copies the config files; the one that names the classes gets `names`, if the model's classes changed.
 *
 * @returns the files that were written.
 */
export async function copyConfig(
  { configFor }: Door,
  { copies }: TunedOutput,
  names?: readonly string[],
): Promise<readonly string[]> {
  for (const { from, to } of copies) {
    const isNamed = names !== undefined && basename(from) === 'config.json';
    const text = isNamed ? configFor(readFileSync(from, 'utf8'), names) : undefined;
    await writeWhole(to, async (temporary) =>
      text === undefined ? copyFileSync(from, temporary) : writeFileSync(temporary, text),
    );
  }
  return copies.map(({ to }) => to);
}

/** The same file, or one with the same bytes, unless the copy gets other classes. */
function isSame(from: string, to: string, isRelabelled: boolean): boolean {
  if (resolve(from) === resolve(to)) return true;
  const isNamed = isRelabelled && basename(from) === 'config.json';
  return !isNamed && existsSync(to) && readFileSync(from).equals(readFileSync(to));
}
