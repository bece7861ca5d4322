import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { decodeTensor } from '../onnx/index.ts';
import type { Tensor } from '../tensor.ts';

/** A tensor file's content. */
export interface NamedTensor {
  readonly file: string;
  readonly name: string;
  readonly tensor: Tensor;
}

/** The names of a case's `test_data_set_*` folders, in order. */
export function dataSets(folder: string): string[] {
  const names = readdirSync(folder).filter((name) => /^test_data_set_\d+$/.test(name));
  if (names.length > 0) return names.sort((a, b) => setNumber(a) - setNumber(b));
  throw incomplete(folder, 'a folder test_data_set_0', 'none');
}

function setNumber(name: string): number {
  return Number(name.slice('test_data_set_'.length));
}

/** The tensors `prefix_0.pb`, `prefix_1.pb`, … of a folder. @throws LossgraftError `case-incomplete` if one is missing. */
export function readTensors(folder: string, prefix: 'input' | 'output'): NamedTensor[] {
  const pattern = new RegExp(`^${prefix}_(\\d+)\\.pb$`);
  const indices = (existsSync(folder) ? readdirSync(folder) : [])
    .map((name) => pattern.exec(name)?.[1])
    .filter((index) => index !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
  const gap = indices.findIndex((index, i) => index !== i);
  if (gap >= 0) throw incomplete(folder, `${prefix}_${gap}.pb`, `${prefix}_${indices[gap]}.pb after the previous one`);
  return indices.map((index) => {
    const file = join(folder, `${prefix}_${index}.pb`);
    return { file, ...decodeTensor(readFileSync(file), file) };
  });
}

/**
 * The tensors by the model's names: by their own names if the model has those, otherwise by position, as in ONNX's backend tests.
 *
 * @throws LossgraftError `case-names` if neither fits.
 */
export function bindNames(
  tensors: readonly NamedTensor[],
  names: readonly string[],
  kind: 'inputs' | 'outputs',
): Map<string, NamedTensor> {
  const own = tensors.map((tensor) => tensor.name);
  const misnamed = (expected: string): LossgraftError =>
    new LossgraftError({
      code: 'case-names',
      where: tensors[0]?.file ?? kind,
      expected,
      found: own.map((name) => `"${name}"`).join(', ') || 'none',
      hint: 'Save the tensors under the names that the model uses',
    });
  const byName = own.every((name) => name !== '' && !/^\d+$/.test(name)) && own.some((name) => names.includes(name));
  if (byName) {
    if (new Set(own).size < own.length) throw misnamed('every name once');
    return new Map(tensors.map((tensor) => [tensor.name, tensor]));
  }
  if (tensors.length === names.length) return new Map(tensors.map((tensor, i) => [names[i] ?? tensor.name, tensor]));
  throw misnamed(`the model's ${kind} ${names.join(', ')}, by name or all of them in order`);
}

export function incomplete(where: string, expected: string, found: string): LossgraftError {
  const hint = 'A data set is a folder test_data_set_N with input_0.pb, … and output_0.pb, …';
  return new LossgraftError({ code: 'case-incomplete', where, expected, found, hint });
}
