import { accessSync, constants, existsSync, rmSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { LossgraftError, option } from './errors.ts';
import type { Model } from './model.ts';
import { copyExternalData, rebaseExternalData, writeModel } from './onnx/index.ts';
import type { ModelEdit } from './onnx/types.ts';

export interface WriteOptions {
  /** Replaces an existing file. */
  readonly force?: boolean;
  /** Copies external data files beside the output, instead of referring to their place, which must be below its folder. */
  readonly copyExternalData?: boolean;
}

/** Writes an edited model to a new file; see {@link WriteOptions}. @throws LossgraftError `output-exists` and errors of writing. */
export function writeEdited(model: Model, edit: ModelEdit, path: string, options: WriteOptions): void {
  refuseExisting(path, options.force ?? false);
  const folders = { fromDir: model.dir, toDir: dirname(resolve(path)) };
  if (options.copyExternalData === true) {
    const copied = copyExternalData(model.proto, { ...folders, overwrite: options.force ?? false }, edit);
    try {
      writeModel(model.proto, edit, path);
    } catch (error) {
      for (const file of copied) rmSync(file, { force: true });
      throw error;
    }
    return;
  }
  const rebased = rebaseExternalData(model.proto, folders, edit);
  writeModel(model.proto, { ...edit, replacements: [...(edit.replacements ?? []), ...rebased] }, path);
}

/** Checks that `path` can be written. @throws LossgraftError `output-exists`, or `output-folder` without a writable folder. */
export function refuseExisting(path: string, force: boolean): void {
  const folder = dirname(resolve(path));
  if (!existsSync(folder)) {
    throw new LossgraftError({
      code: 'output-folder',
      where: path,
      expected: 'a folder to write into',
      found: `no folder ${folder}`,
      hint: 'Create it first',
    });
  }
  checkWritable(folder, path);
  if (force || !existsSync(path)) return;
  throw new LossgraftError({
    code: 'output-exists',
    where: path,
    expected: 'no file there yet',
    found: statSync(path).isDirectory() ? 'a folder' : 'a file',
    hint: `Choose another name, or add ${option('force')} to replace it`,
  });
}

/** @throws LossgraftError `output-folder` at `where`, if a folder is not writable. */
export function checkWritable(folder: string, where: string): void {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new LossgraftError({
      code: 'output-folder',
      where,
      expected: 'a folder with permission to write',
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'Choose another folder, or change its permissions',
      cause,
    });
  }
}
