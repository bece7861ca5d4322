import { existsSync } from 'node:fs';
import { LossgraftError, option } from '../errors.ts';
import { modelHash, open } from '../model.ts';
import { checkOptions } from '../options/check.ts';
import type { OptionsOf } from '../options/row.ts';
import type { Checkpoint } from '../records/run.ts';
import { RunFolder } from '../runFolder/checkpoint.ts';
import { exportRows } from '../tables/export.ts';
import { refuseInput } from '../tuned/writeBack.ts';
import { headIn, headOfRun } from './otherClasses.ts';
import { standardised } from './standardise.ts';
import { armsIn, writeRun } from './writeRun.ts';

/**
 * Writes the model of one loss of a finished run, whatever the run decided.
 *
 * @returns the files that were written.
 * @throws LossgraftError `no-run`, `unknown-loss` listing the known ones, `other-model` if the model is not the trained one.
 */
export async function exportRun(
  folder: string,
  path: string,
  options: OptionsOf<typeof exportRows>,
): Promise<readonly string[]> {
  checkOptions(exportRows, options);
  const checkpoint = existsSync(folder) ? new RunFolder(folder).checkpoint() : undefined;
  if (checkpoint === undefined) throw noRun(folder);
  const { arm, force = false } = options;
  const known = armsIn(checkpoint);
  if (!known.includes(arm)) throw unknownArm(folder, arm, known);
  const file = options.model ?? checkpoint.model?.path;
  if (file === undefined || file === null) throw otherModel(folder, 'no path, because it was given as bytes');
  const model = await open(file);
  try {
    if ((await modelHash(model)) !== checkpoint.settings.model) throw otherModel(file, 'another file');
    const names = checkpoint.model?.names;
    refuseInput(model, path);
    const scaled = await standardised(model, checkpoint.settings.scales);
    const head = headIn(checkpoint.settings);
    const used = head ? await headOfRun(scaled, folder, head) : scaled;
    return await writeRun(used, folder, checkpoint, path, { force, anyway: true, names, arm });
  } finally {
    model.close();
  }
}

function noRun(folder: string): LossgraftError {
  return new LossgraftError({
    code: 'no-run',
    where: folder,
    expected: 'the folder of a run, with checkpoint.json',
    found: 'none',
    hint: 'Pass the folder that train wrote, such as tuned.run',
  });
}

function unknownArm(folder: string, arm: string, known: Checkpoint['bests'] | readonly string[]): LossgraftError {
  return new LossgraftError({
    code: 'unknown-loss',
    where: folder,
    expected: `one of the losses that were trained: ${known.join(', ') || 'none yet'}`,
    found: `"${arm}"`,
    hint: `Correct ${option('arm')}`,
  });
}

function otherModel(where: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'other-model',
    where,
    expected: 'the same model file that was trained',
    found,
    hint: `Name it with ${option('model')}`,
  });
}
