import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Part } from '../data/samples.ts';
import type { Model } from '../model.ts';
import { checkOptions } from '../options/check.ts';
import type { EpochRecord } from '../records/epoch.ts';
import type { RunFile } from '../records/runFile.ts';
import type { Schedule } from '../records/schedule.ts';
import { RunFolder } from '../runFolder/checkpoint.ts';
import { trainRows } from '../tables/train.ts';
import type { TrainerRequest } from '../trainer/request.ts';
import { runTraining } from '../trainer/runTraining.ts';
import { widened } from '../transform/widen.ts';
import type { Catalogue, TrainOptions } from './options.ts';
import { explained, type PreparedRun, prepareRun } from './prepare.ts';

/** What a training would do, and its cost. */
export interface Rehearsal {
  /** Losses in the order of training. */
  readonly arms: readonly string[];
  readonly schedule: Schedule;
  readonly batchSize: number;
  readonly stepsPerEpoch: number;
  readonly samples: { readonly train: number; readonly validation: number; readonly test: number | null };
  readonly classNames: readonly string[] | null;
  /** Training samples of each class. */
  readonly classCounts: readonly number[];
  /** Remaining epochs of all losses: for a resumed run, the rest. */
  readonly epochsLeft: number;
  readonly estimate: Estimate;
  /** As `run.json` would record it. */
  readonly record: RunFile;
  readonly notes: readonly string[];
}

/** Measured in two epochs over a few samples on this machine, and scaled up. Seconds are for the whole run. */
export interface Estimate {
  readonly seconds: number;
  readonly starting: number;
  /** For layers that are frozen and computed once. */
  readonly features: number;
  readonly training: number;
  /** With the checkpoints. */
  readonly judging: number;
  /** The peak of this process; the GPU's memory is unknown. */
  readonly memoryBytes: number;
  /** The peak size of the run's folder. */
  readonly diskBytes: number;
}

/** Samples taken from training and validation data, or steps, whichever is more. */
const SAMPLES = 256;
const STEPS = 4;

/**
 * Does everything before the first step of a training, takes a few steps in a temporary folder, and reports what the training would do.
 * Nothing is written.
 *
 * @throws LossgraftError as `train` does before its first epoch is over, also for an existing run in the folder.
 */
export async function rehearse(catalogue: Catalogue, model: Model, given: TrainOptions): Promise<Rehearsal> {
  checkOptions(trainRows, given, () => true);
  const began = performance.now();
  const prepared = await prepareRun(catalogue, widened(model), given, []);
  const reading = (performance.now() - began) / 1000;
  const { request, plan, parts } = prepared;
  const checkpoint = new RunFolder(given.folder).found(request.mode, request.settings);
  const folder = mkdtempSync(join(tmpdir(), 'lossgraft-'));
  try {
    // Folds and further seeds have equally many.
    const runs = (1 + (parts.folds?.length ?? 0)) * (given.seeds ?? 1);
    const done = checkpoint?.history.filter(({ phase }) => phase !== 'before').length ?? 0;
    const again = request.refit && !checkpoint?.outcome?.refit ? request.schedule.epochs : 0;
    const epochsLeft = runs * epochsOf(request) - done + again;
    const measured = await measure(prepared, folder);
    return {
      arms: request.arms.map(({ name }) => name),
      schedule: plan.schedule,
      batchSize: request.batchSize,
      stepsPerEpoch: Math.ceil(parts.train.rows.length / request.batchSize),
      samples: {
        train: parts.train.rows.length,
        validation: parts.validation.rows.length,
        test: parts.test?.rows.length ?? null,
      },
      classNames: request.data.classNames ?? null,
      classCounts: parts.counts,
      epochsLeft,
      estimate: estimateOf(request, { ...measured, starting: reading + measured.starting }, epochsLeft),
      record: request.record,
      notes: [...new Set([...prepared.notes, ...measured.notes])],
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The cost of a few steps. */
interface Measured {
  readonly starting: number;
  readonly perStep: number;
  readonly perJudged: number;
  /** Between two epochs, for the checkpoint. */
  readonly perEpoch: number;
  readonly perFeature: number;
  readonly featureBytes: number;
  readonly stateBytes: number;
  readonly notes: readonly string[];
}

/** Trains the first loss for two epochs of a few samples. */
async function measure(prepared: PreparedRun, folder: string): Promise<Measured> {
  const { request } = prepared;
  const { batchSize } = request;
  const [arm] = request.arms;
  const train = some(request.train, Math.max(SAMPLES, STEPS * batchSize));
  const validation = some(request.validation, SAMPLES);
  const stop = new AbortController();
  const epochs: (EpochRecord & { readonly at: number })[] = [];
  const began = performance.now();
  const features: { readonly at: number; readonly done: number }[] = [];
  const trained = await runTraining({
    ...request,
    arms: arm ? [arm] : [],
    train,
    validation,
    folder,
    mode: 'new',
    signal: request.signal ? AbortSignal.any([request.signal, stop.signal]) : stop.signal,
    onProgress: () => {},
    onFeatures: ({ done }) => features.push({ at: performance.now(), done }),
    onEpoch: (record) => {
      epochs.push({ ...record, at: performance.now() });
      if (epochs.length === 3) stop.abort();
    },
  }).catch(async (error: unknown) => {
    throw await explained(error, prepared);
  });
  request.signal?.throwIfAborted();
  const total = (performance.now() - began) / 1000;
  const { trainSeconds = 0, seconds = 0 } = epochs.at(-1) ?? {};
  const [before, end] = epochs.slice(-2);
  const [first, last] = [features[0], features.at(-1)];
  const cached = first && last ? { seconds: (last.at - first.at) / 1000, rows: last.done - first.done } : NONE;
  const { rows = 0, bytes = 0 } = trained.features ?? {};
  return {
    // The first epoch is slower: its graph is opened, and kernels are chosen.
    starting: Math.max(0, total - cached.seconds - (epochs.length - 1) * seconds),
    perStep: trainSeconds / Math.ceil(train.rows.length / batchSize),
    perJudged: Math.max(0, seconds - trainSeconds) / validation.rows.length,
    perEpoch: before && end ? Math.max(0, (end.at - before.at) / 1000 - seconds) : 0,
    perFeature: cached.seconds / Math.max(1, cached.rows),
    featureBytes: bytes / Math.max(1, rows),
    stateBytes: largest(folder),
    notes: trained.notes,
  };
}

const NONE = { seconds: 0, rows: 0 };

function estimateOf(request: TrainerRequest, measured: Measured, epochsLeft: number): Estimate {
  const { train, validation, test, arms, batchSize } = request;
  const { starting, perStep, perJudged, perEpoch, perFeature, featureBytes, stateBytes } = measured;
  const steps = epochsLeft * Math.ceil(train.rows.length / batchSize);
  const kept = train.rows.length + validation.rows.length;
  // After each epoch; then the candidates of the decision, all in detail, and the influence of some training samples.
  const decided = (2 + arms.length) * validation.rows.length;
  const detailed = (2 + arms.length) * (test ?? validation).rows.length;
  const influence = 2 * Math.min(INFLUENCE, train.rows.length);
  const judged = (1 + epochsLeft) * validation.rows.length + decided + detailed + influence;
  const parts = {
    starting,
    features: perFeature * kept,
    training: perStep * steps,
    judging: perJudged * judged + perEpoch * epochsLeft,
  };
  return {
    seconds: Object.values(parts).reduce((sum, part) => sum + part, 0),
    ...parts,
    memoryBytes: 1024 * process.resourceUsage().maxRSS,
    // The best and the last state of each loss, one being written, and the halfway weights.
    diskBytes: stateBytes * (2 * arms.length + 2) + featureBytes * kept,
  };
}

/** The most samples whose influence is measured. */
const INFLUENCE = 5000;

/** Evenly spread rows of a part. */
function some(part: Part, count: number): Part {
  const { rows } = part;
  if (rows.length <= count) return part;
  return {
    ...part,
    rows: Uint32Array.from({ length: count }, (_, i) => rows[Math.floor((i * rows.length) / count)] ?? 0),
  };
}

/** Epochs of all losses; those after the first begin when the loss takes over. */
function epochsOf({ arms, schedule: { epochs, ibFrom } }: TrainerRequest): number {
  return epochs + (arms.length - 1) * (epochs - ibFrom);
}

function largest(folder: string): number {
  const states = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
  return Math.max(0, ...states.map((name) => statSync(join(folder, name)).size));
}
