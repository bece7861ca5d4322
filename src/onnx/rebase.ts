import { constants, copyFileSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { LossgraftError, option } from '../errors.ts';
import { replaceFile } from '../files/whole.ts';
import { externalLocation, externalPath } from './external.ts';
import { findTensors } from './findTensors.ts';
import { Message, type OpenChanges } from './message.ts';
import type { ModelEdit, ModelProto, Replacement, TensorProto } from './types.ts';
import { concat, stringField } from './wire.ts';

export interface Folders {
  /** The folder of the model that is read. */
  readonly fromDir: string;
  /** The folder of the model that is written; it exists. */
  readonly toDir: string;
}

/**
 * The replacements that make external data's locations right for a model written to another folder. Tensors that `edit` removes are
 * left out. ONNX Runtime opens no data outside the model's folder, so the new folder must contain the data.
 * Errors: `external-unreachable` and those of finding the data (`external-escape`, `external-missing`, `external-entry`).
 */
export function rebaseExternalData(model: ModelProto, folders: Folders, edit: ModelEdit = {}): Replacement[] {
  const toDir = realpathSync(folders.toDir);
  const tensors = externalTensors(model, folders.fromDir, edit);
  if (toDir === realpathSync(folders.fromDir)) return [];
  const changes: OpenChanges = { insertions: [], substitutions: [] };
  for (const { tensor, where, path } of tensors) {
    const location = relative(toDir, path).split(sep).join('/');
    if (location.startsWith('../') || location === '..') throw unreachable(where, path, toDir);
    const field = stringField(2, location);
    new Message(model.source, tensor.span).setEntry(13, (key) => key === 'location', 2, field, changes);
  }
  return changes.substitutions.map(({ span, parts }) => ({ span, bytes: concat(parts) }));
}

/**
 * Copies the external data that the edited model needs to the same relative places under `toDir`, so that the locations stay true.
 * Returns the files written. Errors: `external-exists` (unless `overwrite`), `copy-failed`, and those of finding the data.
 */
export function copyExternalData(
  model: ModelProto,
  folders: Folders & { readonly overwrite?: boolean },
  edit: ModelEdit = {},
): string[] {
  const files = new Map<string, string>();
  for (const { location, path } of externalTensors(model, folders.fromDir, edit)) {
    files.set(join(folders.toDir, location), path);
  }
  const needed = [...files].filter(([target, path]) => !isSameFile(target, path));
  for (const [target] of needed) {
    if (folders.overwrite !== true && statSync(target, { throwIfNoEntry: false }) !== undefined) throw exists(target);
  }
  for (const [target, path] of needed) copyWhole(path, target);
  return needed.map(([target]) => target);
}

interface External {
  readonly tensor: TensorProto;
  readonly where: string;
  readonly location: string;
  readonly path: string;
}

function externalTensors(model: ModelProto, fromDir: string, edit: ModelEdit): External[] {
  const { source } = model;
  const removed = edit.removals ?? [];
  return findTensors(source)
    .filter(({ payload }) => payload.kind === 'external')
    .filter(({ span }) => !removed.some(({ start, end }) => start <= span.start && span.end <= end))
    .map((tensor) => {
      const where = `${source.name}, tensor "${tensor.name}"`;
      const location = externalLocation(where, tensor);
      return { tensor, where, location, path: externalPath(where, location, fromDir) };
    });
}

function isSameFile(a: string, b: string): boolean {
  const [x, y] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false, bigint: true }));
  return x !== undefined && y !== undefined && x.ino === y.ino && x.dev === y.dev;
}

function copyWhole(path: string, target: string): void {
  try {
    mkdirSync(dirname(target), { recursive: true });
    replaceFile(target, (temporary) =>
      copyFileSync(path, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE),
    );
  } catch (cause) {
    throw new LossgraftError({
      code: 'copy-failed',
      where: target,
      expected: `a copy of ${path}`,
      found: cause instanceof Error ? cause.message : String(cause),
      hint: 'Check the folder, its permissions and the free disk space',
      cause,
    });
  }
}

function unreachable(where: string, path: string, toDir: string): LossgraftError {
  return new LossgraftError({
    code: 'external-unreachable',
    where,
    expected: `external data within ${toDir}, since ONNX Runtime opens no files outside the model's folder`,
    found: path,
    hint: `Write the output into the model's folder, or copy the data too (${option('copyExternalData')})`,
  });
}

function exists(target: string): LossgraftError {
  return new LossgraftError({
    code: 'external-exists',
    where: target,
    expected: 'no file of that name',
    found: 'a file of that name that is not the data file',
    hint: `Choose another output folder, or allow overwriting (${option('force')})`,
  });
}
