import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LossgraftError } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import type { Tolerance } from '../numbers.ts';

/** The content of a case.json; a folder without one is a plain case of ONNX's backend tests. */
export interface CaseFile {
  readonly modelPath: string;
  /** A folder of inputs that cases share, instead of those in the data set. */
  readonly inputsFolder: string | undefined;
  readonly proves: string | undefined;
  /** Options of `augment`; `undefined` for a model run as it is. */
  readonly augment: Readonly<Record<string, unknown>> | undefined;
  readonly tolerance: Tolerance;
  readonly exceptions: ReadonlyMap<string, Tolerance & { readonly reason: string }>;
}

/** The tolerance of ONNX's own backend tests, for folders without a case.json: `assert_similar_outputs` in onnx/backend/test/runner. */
const SUITE_TOLERANCE: Tolerance = { rtol: 1e-3, atol: 1e-7 };

/** For a case.json that states none. */
const DEFAULT_TOLERANCE: Tolerance = { rtol: 1e-5, atol: 1e-7 };

/** Provenance written by the generators: how a case was made. It has no effect here. */
const PROVENANCE = [
  'torch',
  'onnx',
  'onnxruntime',
  'numpy',
  'python',
  'seed',
  'reference',
  'torchFloat64Error',
  'float32Error',
  'expect',
];
const USED = ['proves', 'model', 'inputs', 'augment', 'tolerance', 'exceptions'];

/** @throws LossgraftError `case-file` naming a key that is unknown or of the wrong kind. */
export function readCaseFile(folder: string): CaseFile {
  const path = join(folder, 'case.json');
  const isThere = existsSync(path);
  const json = isThere ? parse(path) : {};
  const at = new Fields(path, json);
  at.allow([...USED, ...PROVENANCE]);
  const inputs = at.text('inputs');
  const tolerance = toleranceOf(at.object('tolerance'), isThere ? DEFAULT_TOLERANCE : SUITE_TOLERANCE);
  return {
    modelPath: resolve(folder, at.text('model') ?? 'model.onnx'),
    inputsFolder: inputs === undefined ? undefined : resolve(folder, inputs),
    proves: at.text('proves'),
    augment: at.object('augment')?.json,
    tolerance,
    exceptions: exceptionsOf(at, tolerance),
  };
}

function parse(path: string): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isRecord(json)) return json;
  } catch (cause) {
    throw problem(path, 'valid JSON', cause instanceof Error ? cause.message : String(cause));
  }
  throw problem(path, 'a JSON object', 'something else');
}

function toleranceOf(at: Fields | undefined, base: Tolerance): Tolerance {
  at?.allow(['rtol', 'atol']);
  return { rtol: at?.positive('rtol') ?? base.rtol, atol: at?.positive('atol') ?? base.atol };
}

function exceptionsOf(at: Fields, base: Tolerance): CaseFile['exceptions'] {
  const exceptions = new Map<string, Tolerance & { reason: string }>();
  for (const item of at.objects('exceptions')) {
    item.allow(['output', 'rtol', 'atol', 'reason']);
    const tolerance = { rtol: item.positive('rtol') ?? base.rtol, atol: item.positive('atol') ?? base.atol };
    exceptions.set(item.required('output'), { ...tolerance, reason: item.required('reason') });
  }
  return exceptions;
}

/** An object of the file, read key by key; every error names the key. */
class Fields {
  readonly json: Readonly<Record<string, unknown>>;
  readonly #where: string;

  constructor(where: string, json: Readonly<Record<string, unknown>>) {
    this.#where = where;
    this.json = json;
  }

  allow(keys: readonly string[]): void {
    const unknown = Object.keys(this.json).find((key) => !keys.includes(key));
    if (unknown !== undefined) throw problem(this.#where, `keys among ${keys.join(', ')}`, `"${unknown}"`);
  }

  text(key: string): string | undefined {
    const value = this.json[key];
    if (value === undefined || typeof value === 'string') return value;
    throw this.#wrong(key, 'a string');
  }

  required(key: string): string {
    const value = this.text(key);
    if (value === undefined) throw this.#wrong(key, 'a string');
    return value;
  }

  positive(key: string): number | undefined {
    const value = this.json[key];
    if (value === undefined || (typeof value === 'number' && value >= 0)) return value;
    throw this.#wrong(key, 'a number of 0 or more');
  }

  object(key: string): Fields | undefined {
    const value = this.json[key];
    if (value === undefined) return undefined;
    if (isRecord(value)) return new Fields(`${this.#where}, ${key}`, value);
    throw this.#wrong(key, 'an object');
  }

  objects(key: string): Fields[] {
    const value = this.json[key] ?? [];
    if (!Array.isArray(value)) throw this.#wrong(key, 'a list');
    return value.map((item: unknown, i) => {
      if (isRecord(item)) return new Fields(`${this.#where}, ${key}[${i}]`, item);
      throw this.#wrong(`${key}[${i}]`, 'an object');
    });
  }

  #wrong(key: string, expected: string): LossgraftError {
    return problem(`${this.#where}, ${key}`, expected, JSON.stringify(this.json[key]) ?? 'nothing');
  }
}

function problem(where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({ code: 'case-file', where, expected, found, hint: 'fixtures/README.md lists the keys' });
}
