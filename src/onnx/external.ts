import { realpathSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';
import type { ByteSource } from '../files/bytes.ts';
import { openFile } from '../files/source.ts';
import type { GraphProto, TensorProto } from './types.ts';

/** Where an external tensor's bytes are; the source must be closed by its caller. */
export interface ExternalBytes {
  readonly source: ByteSource;
  readonly offset: number;
  readonly length: number | undefined;
}

/**
 * Opens the file that holds an external tensor. Errors: `external-no-folder`, `external-entry` (absent or bad location, offset,
 * length), `external-escape` (absolute, `..`, or a symbolic link out of the model's folder), `external-missing`.
 */
export function openExternal(source: ByteSource, tensor: TensorProto, modelDir: string | undefined): ExternalBytes {
  const { path, offset, length } = locateExternal(source, tensor, modelDir);
  return { source: openFile(path), offset, length };
}

/** Which file holds an external tensor's bytes, and where. Errors: those of {@link openExternal}. */
export function locateExternal(
  source: ByteSource,
  tensor: TensorProto,
  modelDir: string | undefined,
): { readonly path: string; readonly location: string; readonly offset: number; readonly length: number | undefined } {
  const where = `${source.name}, tensor "${tensor.name}"`;
  if (modelDir === undefined) {
    const hint = 'Open the model by its path instead of as bytes';
    throw problem('external-no-folder', where, "the model's folder, for its external data", 'none', hint);
  }
  const location = externalLocation(where, tensor);
  return {
    path: externalPath(where, location, modelDir),
    location,
    offset: entry(where, tensor, 'offset') ?? 0,
    length: entry(where, tensor, 'length'),
  };
}

/** Checks a model's external data entries, including bodies of If, Loop and Scan, without reading the data. Error: `external-entry`. */
export function checkExternal(source: ByteSource, graph: GraphProto): void {
  for (const tensor of tensorsOf(graph)) {
    if (tensor.payload.kind !== 'external') continue;
    const where = `${source.name}, tensor "${tensor.name}"`;
    externalLocation(where, tensor);
    for (const key of ['offset', 'length']) entry(where, tensor, key);
  }
}

function tensorsOf({ initializers, nodes }: GraphProto): TensorProto[] {
  const attributes = nodes.flatMap((node) => [...node.attributes.values()]);
  const inner = attributes.flatMap((attribute) => {
    if (attribute.type === 'tensor') return [attribute.value];
    if (attribute.type === 'graph') return tensorsOf(attribute.value);
    return attribute.type === 'graphs' ? attribute.value.flatMap(tensorsOf) : [];
  });
  return [...initializers, ...inner];
}

/** The `location` of an external tensor as the file states it. */
export function externalLocation(where: string, tensor: TensorProto): string {
  const location = tensor.payload.kind === 'external' ? tensor.payload.entries.get('location') : undefined;
  if (location !== undefined && location !== '') return location;
  throw problem('external-entry', where, 'a location in external_data', 'none', 'Export the model again');
}

/** The real path of `location` within `modelDir`, which it must not leave. */
export function externalPath(where: string, location: string, modelDir: string): string {
  const escapes = isAbsolute(location) || /^[A-Za-z]:|^\\/.test(location) || location.split(/[\\/]/).includes('..');
  if (escapes) throw escapeError(where, location);
  const folder = resolveReal(where, modelDir);
  const path = resolveReal(where, join(folder, location));
  const inside = relative(folder, path);
  if (inside.split(sep)[0] === '..' || isAbsolute(inside)) throw escapeError(where, `${location} → ${path}`);
  return path;
}

function escapeError(where: string, found: string): LossgraftError {
  const hint = 'Put the data file in the model’s folder or below it, and export with a relative location';
  return problem('external-escape', where, "external data inside the model's folder", found, hint);
}

function resolveReal(where: string, path: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    const hint = 'Put the model’s data file beside it';
    throw problem('external-missing', where, `the external data file ${path}`, found, hint, cause);
  }
}

function entry(where: string, tensor: TensorProto, key: string): number | undefined {
  const text = tensor.payload.kind === 'external' ? tensor.payload.entries.get(key) : undefined;
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  const expected = `a count of bytes as ${key} of external_data`;
  throw problem('external-entry', where, expected, JSON.stringify(text), 'Export the model again');
}

function problem(
  code: ErrorCode,
  where: string,
  expected: string,
  found: string,
  hint: string,
  cause?: unknown,
): LossgraftError {
  return new LossgraftError({ code, where, expected, found, hint, cause });
}
