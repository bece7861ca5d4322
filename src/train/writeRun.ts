import { join } from 'node:path';
import { type FurtherRecord, tunedManifest } from '../classes/manifest.ts';
import type { ClassNames } from '../classes/names.ts';
import { LossgraftError, option } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import { MANIFEST_KEY } from '../manifest.ts';
import type { Model } from '../model.ts';
import { calibrationIn } from '../records/decision.ts';
import type { Checkpoint } from '../records/run.ts';
import { readSafetensors } from '../safetensors/read.ts';
import { writeTuned } from '../tuned/writeBack.ts';
import { type CalibrationPlace, type PlacedCalibration, placeCalibration } from './calibration.ts';
import { withoutScales } from './scaledHead.ts';

interface WriteHow {
  readonly force: boolean;
  /** Even if the run found none that is better. */
  readonly anyway: boolean;
  readonly names: ClassNames | undefined;
  /** Default: the model that the run chose. */
  readonly arm?: string;
}

/** The finished losses of a run, in order. */
export function armsIn({ history, bests }: Checkpoint): readonly string[] {
  return [...new Set(history.map(({ arm }) => arm))].slice(0, bests.length);
}

/** Writes the model that a run chose. @throws LossgraftError `not-trained`, `not-better`, and errors of writing. */
export async function writeRun(
  model: Model,
  folder: string,
  checkpoint: Checkpoint,
  path: string,
  { force, anyway, names, arm }: WriteHow,
): Promise<readonly string[]> {
  const { bests, outcome } = checkpoint;
  const best = bests[arm === undefined ? 0 : armsIn(checkpoint).indexOf(arm)];
  if (best === undefined || outcome === null) {
    throw new LossgraftError({
      code: 'not-trained',
      where: path,
      expected: 'a finished run',
      found: 'one that was interrupted',
      hint: `Go on with it: ${option('mode', 'resume')}`,
    });
  }
  const { file, why, startIsWritten = false } = outcome.decision;
  const labels = labelsIn(checkpoint, arm);
  const manifest = tunedManifest(model.proto, names, { preparation: checkpoint.settings.preparation, ...labels });
  const metadata = manifest && new Map([[MANIFEST_KEY, manifest]]);
  const how = { ...(metadata ? { metadata } : {}), force, untied: outcome.untied };
  if (file === null && !anyway && startIsWritten) return writeTuned(model, new Map(), path, how);
  if (file === null && !anyway) {
    throw new LossgraftError({
      code: 'not-better',
      where: path,
      expected: 'a model that is better than the given one on the validation data',
      found: why,
      hint: 'Use more validation data, another method, or write it anyway',
    });
  }
  const { taken } = outcome.decision;
  const isWhole = arm === undefined || (arm === taken?.arm && taken.share === 1);
  const written = (isWhole ? outcome.refit?.file : null) ?? (arm === undefined ? file : null) ?? best.file;
  const state = readSafetensors(join(folder, written));
  const tuned = new Set(outcome.tuned);
  const kept = new Map([...state].filter(([name]) => tuned.has(name)));
  const whole = await withoutScales(model, placeOf(checkpoint).logits, kept);
  const map = calibrationIn(outcome.decision, arm);
  const placed: Pick<PlacedCalibration, 'state' | 'edit'> = map
    ? await placeCalibration(model, placeOf(checkpoint), whole, map)
    : { state: whole };
  const { state: tensors, edit } = placed;
  return writeTuned(model, tensors, path, { ...how, ...(edit ? { edit } : {}) });
}

/** The labels of a multi-label model for its manifest: the thresholds of the written model, or of an arm's best epoch. */
function labelsIn({ outcome, history }: Checkpoint, arm: string | undefined): FurtherRecord {
  const own = outcome?.decision.thresholds ?? undefined;
  const last = history.findLast(
    (record) => record.thresholds !== undefined && (arm === undefined || record.arm === arm),
  );
  const thresholds = (arm === undefined ? own : undefined) ?? last?.thresholds;
  return thresholds === undefined ? {} : { task: 'multi-label', thresholds };
}

/** The score tensor given to the run, and its task. */
function placeOf({ settings: { first, task } }: Checkpoint): CalibrationPlace {
  return {
    logits: isRecord(first) && typeof first.logits === 'string' ? first.logits : undefined,
    task: task === 'multi-label' ? task : 'exclusive',
  };
}
