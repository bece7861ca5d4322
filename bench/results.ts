import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

const FILE = fileURLToPath(new URL('results.json', import.meta.url));

/** Of several measurements of one thing: the median and the quartiles. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** When a row was measured, and how much of the cores' time others took just before, in percent. */
export interface Dated {
  readonly date: string;
  readonly busy: number;
}

export interface Compared {
  readonly batch: number;
  /** Milliseconds of a step. */
  readonly ours: Spread;
  readonly torch: Spread;
  /** Peak memory above the import. */
  readonly ourMiB: number;
  readonly torchMiB: number;
}

/** What one unit of the work costs in milliseconds, by how many of them there are. */
export interface Grown {
  readonly unitMs: Readonly<Record<string, number>>;
}

export interface Started {
  readonly seconds: Spread;
}

export interface Waited {
  readonly epochSeconds: number;
  /** Of the time of steps. */
  readonly percent: number;
}

export type Machine = Readonly<
  Record<'cpu' | 'cores' | 'threads' | 'block' | 'node' | 'onnxruntime-node' | 'torch', string>
>;

/** All that was measured, on one machine with one set of versions: rows by names. */
export interface Results {
  readonly on: Machine;
  readonly torch: Record<string, Compared & Dated>;
  readonly plain: Record<string, Compared & Dated>;
  readonly growth: Record<string, Grown & Dated>;
  readonly start: Record<string, Started & Dated>;
  readonly waiting: Record<string, Waited & Dated>;
}

/** What is kept, if it is this machine's: rows of different machines make no table. */
export function readResults(on: Machine): Results {
  const kept = keptResults();
  if (kept && isDeepStrictEqual(kept.on, on)) return kept;
  if (kept)
    console.error(`rows measured elsewhere are dropped: ${JSON.stringify(kept.on)} is not ${JSON.stringify(on)}`);
  return { on, torch: {}, plain: {}, growth: {}, start: {}, waiting: {} };
}

export function keptResults(): Results | undefined {
  return existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) : undefined;
}

export function writeResults(results: Results): void {
  writeFileSync(FILE, `${JSON.stringify(results, null, 2)}\n`);
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => digits(sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN);
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

/** Three of them. */
export function digits(value: number): number {
  return Number(value.toPrecision(3));
}
