import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Dataset } from '../data/dataset.ts';
import { digestOf } from '../data/digest.ts';
import { LossgraftError } from '../errors.ts';
import { replaceFolder, writeFailed, writeWhole } from '../files/whole.ts';
import { badOption, checkOptions } from '../options/check.ts';
import type { Rows } from '../options/row.ts';
import { type Provider, runtimeVersion } from '../runtime/session.ts';
import { VERSION } from '../version.ts';
import { PART_FORMAT, PART_NAME, type PartInputs, type PartManifest, type PassName } from './format.ts';
import { partDone } from './merged.ts';
import { type PartNumber, parsePart, type RowRange } from './plan.ts';
import { type RecordingPass, recordingPass } from './record.ts';

/** Which part to score, and where to keep it. */
export interface PartOptions {
  /** Part i of n, counted from 1: `3/16`. */
  readonly part: string;
  /** The folder of all parts. */
  readonly parts: string;
  /** Scores the part again if it is there. */
  readonly force?: boolean;
}

/** A part that was scored. */
export interface PartReport extends PartNumber, RowRange {
  readonly folder: string;
  /** Of all parts. */
  readonly total: number;
  /** Whether it was there already, complete and made of the same. */
  readonly wasThere: boolean;
}

export interface PlacedPart {
  readonly number: PartNumber;
  readonly parts: string;
  readonly force: boolean;
}

/** Checks the options of a part, and divides them from those of the verb. @throws LossgraftError `option-range` */
export function checkedPart<T extends PartOptions>(
  rows: Rows,
  { part, parts, force = false, ...options }: T,
): Omit<T, keyof PartOptions> & { readonly part: PlacedPart } {
  checkOptions(rows, options);
  const number = parsePart(part);
  if (number === undefined) throw badOption('part', 'a part i/n with i from 1 to n', part);
  return { ...options, part: { number, parts, force } };
}

/** Options of a verb on which scores do not depend. */
const LATER = new Set([
  'part',
  'parts',
  'force',
  'onNote',
  'onProgress',
  'signal',
  'topK',
  'threshold',
  'probabilities',
  'costs',
  'seed',
]);

/** What scores depend on. */
export async function partInputs({
  command,
  model,
  against = null,
  data,
  options,
}: Pick<PartInputs, 'command' | 'model'> & {
  readonly against?: string | null;
  readonly data: Dataset;
  readonly options: object;
}): Promise<PartInputs> {
  const digest = await digestOf(data);
  const { path: _path, ...contents } = digest ?? { path: '' };
  const own = Object.entries(options).filter(([key, value]) => !LATER.has(key) && value !== undefined);
  const reading = Object.entries(data.source?.options ?? {}).filter(([key]) => key !== 'model');
  return {
    command,
    model,
    against,
    data: digest === null ? null : (contents as PartInputs['data']),
    options: { ...Object.fromEntries(own), ...(reading.length > 0 ? { data: Object.fromEntries(reading) } : {}) },
    versions: { lossgraft: VERSION, onnxruntime: runtimeVersion },
  };
}

/**
 * Scores a part. It is complete or not there: it is written under a hidden name, and renamed. A part that is there and was made of the same
 * stays as it is.
 *
 * @param score goes through the part's rows with each pass that it asks for.
 * @throws LossgraftError `parts-differ` if the part is there and was made of something else.
 */
export async function writePart(
  { number, parts, force, inputs, provider }: PlacedPart & { readonly inputs: PartInputs; readonly provider: Provider },
  score: (passOf: (name: PassName) => RecordingPass) => Promise<void>,
): Promise<PartReport> {
  const { part, of } = number;
  const folder = join(parts, `${String(part).padStart(String(of).length, '0')}-of-${of}`);
  const done = force ? undefined : partDone(folder, inputs);
  if (done) return { ...number, folder, ...rangeOf(done), wasThere: true };
  try {
    mkdirSync(parts, { recursive: true });
    return await replaceFolder(folder, async (temporary) => {
      const passes = await recorded(temporary, number, score);
      const cpu = cpus()[0]?.model ?? 'unknown';
      const manifest: PartManifest = { format: PART_FORMAT, version: 1, ...number, inputs, provider, cpu, passes };
      writeWhole(join(temporary, PART_NAME), (fd) => writeFileSync(fd, `${JSON.stringify(manifest, undefined, 1)}\n`));
      return { ...number, folder, ...rangeOf(manifest), wasThere: false };
    });
  } catch (cause) {
    if (cause instanceof LossgraftError || !(cause instanceof Error && 'syscall' in cause)) throw cause;
    throw writeFailed(folder, cause);
  }
}

function rangeOf({ passes: { own } }: PartManifest): RowRange & { readonly total: number } {
  return { first: own.first, last: own.last, total: own.total };
}

async function recorded(
  folder: string,
  number: PartNumber,
  score: (passOf: (name: PassName) => RecordingPass) => Promise<void>,
): Promise<PartManifest['passes']> {
  const passes = new Map<PassName, RecordingPass>();
  try {
    await score((name) => {
      const pass = recordingPass(folder, name, number);
      passes.set(name, pass);
      return pass;
    });
    const own = passes.get('own')?.finish();
    const against = passes.get('against')?.finish();
    if (own === undefined) throw new RangeError('a part without a pass');
    return { own, ...(against ? { against } : {}) };
  } finally {
    for (const pass of passes.values()) pass.close();
  }
}
