import { join } from 'node:path';
import { tunedManifest } from '../classes/manifest.ts';
import type { ClassNames } from '../classes/names.ts';
import { LossgraftError, option } from '../errors.ts';
import { isRecord } from '../isRecord.ts';
import { MANIFEST_KEY } from '../manifest.ts';
import type { Model } from '../model.ts';
import type { Checkpoint } from '../records/run.ts';
import { readSafetensors } from '../safetensors/read.ts';
import { writeTuned } from '../tuned/writeBack.ts';
import { withoutScales } from './scaledHead.ts';

interface WriteHow {
  readonly force: boolean;
  /** Also where the run came to none that is better. */
  readonly anyway: boolean;
  readonly names: ClassNames | undefined;
  /** Default: what the run came to. */
  readonly arm?: string;
}

/** The losses of a run that are done, in their order. */
export function armsIn({ history, bests }: Checkpoint): readonly string[] {
  return [...new Set(history.map(({ arm }) => arm))].slice(0, bests.length);
}

/** Writes the model that a run came to. @throws LossgraftError `not-trained`, `not-better`, and those of writing. */
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
  const manifest = tunedManifest(model.proto, names, checkpoint.settings.preparation);
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
  const state = readSafetensors(join(folder, arm === undefined ? (file ?? best.file) : best.file));
  const tuned = new Set(outcome.tuned);
  const kept = new Map([...state].filter(([name]) => tuned.has(name)));
  return writeTuned(model, await withoutScales(model, logitsOf(checkpoint), kept), path, how);
}

/** The tensor of scores that the run was told. */
function logitsOf({ settings }: Checkpoint): string | undefined {
  const { first } = settings;
  return isRecord(first) && typeof first.logits === 'string' ? first.logits : undefined;
}
