import { join } from 'node:path';
import { option } from '../errors.ts';
import { areKept } from '../metrics/scored.ts';
import { LEAST_SAMPLES } from '../metrics/tally.ts';
import type { Model } from '../model.ts';
import { badOption } from '../options/check.ts';
import { isMeasured, methods } from '../records/methods.ts';
import type { Predictions } from '../records/outOfFold.ts';
import { RunFolder } from '../runFolder/checkpoint.ts';
import { writeRunFile } from '../runFolder/runFile.ts';
import { readPredictions } from '../trainer/predictions.ts';
import type { TrainerRequest } from '../trainer/request.ts';
import { runTraining } from '../trainer/runTraining.ts';
import type { Arms, TrainingCounts } from './bindArms.ts';
import { countsOf, type DividedData, type HeldOut } from './data.ts';
import { networkSize } from './network.ts';
import type { TrainOptions } from './options.ts';
import { type Plan, SAFE_LOSS } from './plan.ts';

/** The number of folds that lossgraft chooses itself. */
const OWN_FOLDS = 5;
const MOST_SAMPLES = 20_000;

interface About {
  readonly classes: number;
  readonly task: 'exclusive' | 'multi-label';
  /** Whether the last layer is made from all data for their classes. */
  readonly hasOtherClasses: boolean;
}

/** The number of folds to judge a run with (1: by held-out data), and notes on it. */
export interface FoldChoice {
  readonly notes: readonly string[];
  /** @throws LossgraftError `option-range` if folds would choose the epoch, or if validation data are given. */
  foldsFor(held: HeldOut): Promise<number>;
}

export function foldChoice(model: Model, options: TrainOptions, plan: Plan, about: About): FoldChoice {
  const notes: string[] = [];
  const say = (text: string): void => {
    if (!notes.includes(text)) notes.push(text);
  };
  return {
    notes,
    foldsFor: async (held) => {
      const { folds, note } = await chosen(model, options, plan, about, held);
      if (note !== undefined) say(note);
      return folds;
    },
  };
}

async function chosen(
  model: Model,
  options: TrainOptions,
  plan: Plan,
  about: About,
  held: HeldOut,
): Promise<{ readonly folds: number; readonly note?: string }> {
  const { folds: asked, validation, logits, data } = options;
  const samples = held.train.length + (held.validation?.length ?? 0);
  const mayBeKept = areKept(samples, about.classes);
  if (asked !== undefined && asked > 1) {
    refuseFolds(options, plan, about, mayBeKept);
    return { folds: asked, note: described(asked) };
  }
  const tiny = tinyClass(held);
  const isMeant = plan.method !== null && plan.select === 'last' && options.calibrate === undefined;
  const isOpen = isMeant && validation === undefined && !about.hasOtherClasses && about.task === 'exclusive';
  if (asked !== undefined || !isOpen || tiny === undefined || !mayBeKept) return { folds: 1 };
  const name = data.classNames?.[tiny.class] ?? String(tiny.class);
  const few = `Of class ${name} ${tiny.held} of ${tiny.all} samples would be held out, too few to judge by`;
  const isSmall =
    isMeasured(await networkSize(model, { trainable: plan.trainable, logits })) && samples <= MOST_SAMPLES;
  // If nothing can be told, the measured method is written, because it harmed no model; any other would be refused.
  const isNeeded = plan.method !== null && !methods[plan.method].losses.includes(SAFE_LOSS);
  if (!isSmall || !isNeeded) {
    const how = `${option('folds', OWN_FOLDS)} judges by all of them, with ${OWN_FOLDS} more trainings`;
    return { folds: 1, note: `${few}: ${how}` };
  }
  return { folds: OWN_FOLDS, note: `${few}. ${described(OWN_FOLDS)}. ${option('folds', 1)} holds a share out instead` };
}

function described(folds: number): string {
  return (
    `The run is judged out of fold: ${folds} trainings, each on all but one fold, say what they make of the samples left out, ` +
    'and what is written is then trained on all samples. The figures of its epochs are those of samples that it is trained on'
  );
}

function refuseFolds(
  { validation, calibrate }: TrainOptions,
  { select }: Plan,
  { hasOtherClasses, task }: About,
  mayBeKept: boolean,
): void {
  if (validation !== undefined)
    throw badOption('folds', `1 beside ${option('validation')}: folds are the validation data`, 'more');
  if (select === 'best') {
    const why = 'an epoch that a fold has chosen is not judged by it';
    throw badOption('folds', `${option('select', 'last')} beside it, as ${why}`, 'best');
  }
  if (calibrate !== undefined)
    throw badOption('folds', `1 beside ${option('calibrate')}, which needs data that are held out`, 'more');
  if (task === 'multi-label') throw badOption('folds', '1 for several labels per sample', 'more');
  if (hasOtherClasses)
    throw badOption('folds', '1 for a new last layer, which begins with the means of all samples of a class', 'more');
  if (!mayBeKept)
    throw badOption('folds', '1 for so many samples and classes, whose probabilities are not kept', 'more');
}

/** The class with the fewest held-out samples, if they are too few to judge by and it has more. */
function tinyClass({ labels, train, validation = new Uint32Array() }: HeldOut): Tiny | undefined {
  const counts = (rows: Uint32Array): Map<number, number> => {
    const found = new Map<number, number>();
    for (const row of rows) found.set(Number(labels[row]), (found.get(Number(labels[row])) ?? 0) + 1);
    return found;
  };
  const held = counts(validation);
  const all = [...counts(train)].map(([k, n]) => ({ class: k, held: held.get(k) ?? 0, all: n + (held.get(k) ?? 0) }));
  all.sort((a, b) => a.held - b.held || a.class - b.class);
  return all.find((one) => one.held < LEAST_SAMPLES && one.all > 1);
}

interface Tiny {
  readonly class: number;
  readonly held: number;
  readonly all: number;
}

/** A run whose folds are trained first. */
export interface FoldedRun {
  readonly request: TrainerRequest;
  readonly parts: DividedData;
  /** The losses for the training samples of a fold. */
  boundFor(of: TrainingCounts): Arms;
}

/**
 * Trains on all but one fold, for each, in folders of their own.
 *
 * @returns the models' scores of the folds left out; `undefined` after an interruption.
 */
export async function runFolds({ request, parts, boundFor }: FoldedRun): Promise<Predictions | undefined> {
  const { folds = [], train, counts } = parts;
  const folder = new RunFolder(request.folder);
  folder.begin(request.mode, request.settings);
  if (request.record) writeRunFile(request.folder, request.record, request.mode === 'resume');
  const done = folds.map(({ validation }, i) => ({
    file: (name: string) => join(request.folder, foldName(i), name),
    validation: { samples: train.samples, rows: validation },
  }));
  for (const [i, { train: rows }] of folds.entries()) {
    const own = countsOf({ samples: train.samples, rows }, counts.length);
    const { interrupted } = await runTraining(
      foldRequest(request, boundFor({ counts: own, samples: rows.length }), i, folds.length, {
        train: { samples: train.samples, rows },
        validation: { samples: train.samples, rows: folds[i]?.validation ?? rows },
        trainCounts: own,
      }),
    );
    if (interrupted) return undefined;
  }
  return readPredictions(done, counts.length);
}

const foldName = (index: number): string => `fold-${index + 1}`;

function foldRequest(
  { test: _, record: __, checkOrder, onEpoch, onProgress, ...request }: TrainerRequest,
  bound: Arms,
  index: number,
  folds: number,
  parts: Pick<TrainerRequest, 'train' | 'validation' | 'trainCounts'>,
): TrainerRequest {
  const last = request.schedule.epochs;
  const name = (arm: string): string => `fold ${index + 1} of ${folds}, ${arm}`;
  return {
    ...request,
    ...bound,
    ...parts,
    folder: join(request.folder, foldName(index)),
    isFold: true,
    settings: JSON.parse(JSON.stringify({ ...request.settings, ...bound.settings, fold: index })),
    // The labels are those of all folds.
    ...(index === 0 && checkOrder ? { checkOrder } : {}),
    // The last epoch of each loss, which scores the fold.
    ...(onEpoch ? { onEpoch: (record) => record.epoch === last && onEpoch({ ...record, arm: name(record.arm) }) } : {}),
    ...(onProgress ? { onProgress: (progress) => onProgress({ ...progress, arm: name(progress.arm) }) } : {}),
  };
}
