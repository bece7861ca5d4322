import { join } from 'node:path';
import { writeAll, writeWhole } from '../files/whole.ts';
import type { MetricName } from '../metrics/metrics.ts';
import { METRICS } from '../metrics/metrics.ts';
import { pairedT, spreadOf } from '../metrics/pairedT.ts';
import type { RunDecision } from '../records/decision.ts';
import type { Scores } from '../records/metrics.ts';
import type { SeedRow, SeedSummary } from '../records/seeds.ts';
import { trainRows } from '../tables/train.ts';
import type { TrainOptions } from './options.ts';

/** The options of the runs of `seeds`, each in its own folder: they share the held-out samples, and draw everything else differently. */
export function seedOptions(options: TrainOptions): TrainOptions[] {
  const { seeds = 1, seed = trainRows.seed.default, splitSeed = seed, folder, report, origin, ...rest } = options;
  return Array.from({ length: seeds }, (_, i): TrainOptions => {
    const own = join(folder, `seed-${seed + i}`);
    const name = (arm: string): string => `seed ${seed + i}, ${arm}`;
    const { onEpoch, onProgress } = rest;
    return {
      ...rest,
      seed: seed + i,
      splitSeed,
      folder: own,
      ...(report === false ? { report } : {}),
      ...(origin ? { origin: { ...origin, options: { ...origin.options, folder: own } } } : {}),
      ...(onEpoch ? { onEpoch: (record) => onEpoch({ ...record, arm: name(record.arm) }) } : {}),
      ...(onProgress ? { onProgress: (progress) => onProgress({ ...progress, arm: name(progress.arm) }) } : {}),
    };
  });
}

/** The outcome of a run, for comparisons of several. */
interface SeedResult {
  readonly folder: string;
  readonly decision: RunDecision | null;
  readonly before: { readonly test: Scores | null; readonly judged: Scores | null };
  readonly arms: readonly { readonly name: string; readonly judged: Scores | null }[];
  readonly folds: number | null;
}

/** The common outcome of runs with several seeds. */
export function summarise(results: readonly SeedResult[], options: readonly TrainOptions[]): SeedSummary {
  const runs = results.map(({ folder, decision }, i) => ({
    seed: options[i]?.seed ?? 0,
    folder,
    isTaken: decision?.taken != null,
    gain: gainOf(decision, options[i]),
  }));
  const able = runs.filter(({ isTaken }) => isTaken);
  const best = able.reduce<(typeof able)[number] | undefined>(
    (found, one) => (found && (found.gain ?? 0) >= (one.gain ?? 0) ? found : one),
    undefined,
  );
  const [first] = results;
  const judgedOn = first?.before.test ? 'test' : first?.folds ? 'out-of-fold' : 'validation';
  return { runs, chosen: best?.seed ?? null, judgedOn, rows: rowsOf(results) };
}

/** The gain of the accepted model in the goal's metric, on validation data. */
function gainOf(decision: RunDecision | null, options: TrainOptions | undefined): number | null {
  const taken = decision?.taken;
  const own = decision?.candidates.find(({ arm, share }) => arm === taken?.arm && share === taken.share);
  if (!own) return null;
  return options?.goal === 'balanced-accuracy' ? own.verdict.balancedAccuracy : own.verdict.macroF1;
}

function rowsOf(results: readonly SeedResult[]): SeedRow[] {
  const before = results.map(({ before: given }) => given.judged);
  const names = results[0]?.arms.map(({ name }) => name) ?? [];
  const arms = names.map((name) =>
    results.map((result) => result.arms.find((arm) => arm.name === name)?.judged ?? null),
  );
  return [
    { name: 'before', metrics: spreads(before), change: null, againstFirst: null },
    ...names.map((name, i): SeedRow => {
      const own = arms[i] ?? [];
      const againstFirst = i === 0 ? null : paired(own, arms[0] ?? []);
      return { name, metrics: spreads(own), change: paired(own, before), againstFirst };
    }),
  ];
}

type Figures = readonly (Scores | null)[];

const names = Object.keys(METRICS) as MetricName[];

function valuesOf(figures: Figures, name: MetricName): readonly number[] | undefined {
  const values = figures.map((scores) => scores?.[name] ?? null);
  return values.every((value) => value !== null) ? values : undefined;
}

function spreads(figures: Figures): SeedRow['metrics'] {
  return Object.fromEntries(
    names.flatMap((name) => {
      const values = valuesOf(figures, name);
      return values ? [[name, { ...spreadOf(values), values }]] : [];
    }),
  );
}

function paired(figures: Figures, others: Figures): NonNullable<SeedRow['change']> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const [own, other] = [valuesOf(figures, name), valuesOf(others, name)];
      const found = own && other && pairedT(own.map((value, i) => value - (other[i] ?? 0)));
      return found ? [[name, found]] : [];
    }),
  );
}

/** The path of the summary, in the folder of all runs. */
export const SEEDS_FILE = 'seeds.json';

export function writeSummary(folder: string, summary: SeedSummary): void {
  const text = `${JSON.stringify(summary, undefined, 2)}\n`;
  writeWhole(join(folder, SEEDS_FILE), (fd) => writeAll(fd, Buffer.from(text)));
}
