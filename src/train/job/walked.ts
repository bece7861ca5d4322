import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LossgraftError } from '../../errors.ts';
import { bytesHash } from '../../hash.ts';
import { isRecord } from '../../isRecord.ts';
import { recordIn } from '../../runFolder/runFile.ts';
import type { WalkedEpochs } from '../../trainer/request.ts';
import type { PreparedRun } from '../prepare.ts';
import { JOB_FILES, JOB_FORMAT, type JobCheckpoint, type JobPlan } from './planFile.ts';

/** A job that workers have walked. */
export interface WalkedJob {
  readonly folder: string;
  readonly plan: JobPlan;
  readonly epochs: WalkedEpochs;
}

/**
 * What workers made of a job.
 *
 * @throws LossgraftError `bad-job` if the folder is not one that this version reads, `job-unfinished` if epochs are left.
 */
export function readJob(folder: string): WalkedJob {
  const path = join(folder, JOB_FILES.plan);
  const plan = recordOf(path);
  if (plan.format !== JOB_FORMAT) throw badJob(path, `format ${JOB_FORMAT}`, String(plan.format));
  const { epochs } = plan as unknown as JobPlan;
  const progress = join(folder, JOB_FILES.progress);
  const found = existsSync(join(progress, 'checkpoint.json')) ? recordOf(join(progress, 'checkpoint.json')) : undefined;
  const done = (found as JobCheckpoint | undefined)?.epochs ?? [];
  if (found !== undefined && found.plan !== bytesHash(readFileSync(path)))
    throw badJob(progress, 'checkpoints of this plan', 'those of another');
  if (done.length < epochs.length) throw unfinished(folder, done.length, epochs.length);
  return {
    folder,
    plan: plan as unknown as JobPlan,
    epochs: done.map(({ file, ...rest }) => ({ ...rest, path: join(progress, file) })),
  };
}

/**
 * Checks that a run is the one that was exported.
 *
 * @throws LossgraftError `job-changed` naming what is different.
 */
export function refuseOther({ folder, plan }: WalkedJob, { request }: PreparedRun): void {
  const exported = recordIn(join(folder, JOB_FILES.run));
  for (const [key, then] of Object.entries(exported?.data ?? {})) {
    const now = request.record.data[key];
    if (then && then.sha256 !== now?.sha256)
      throw changed(
        folder,
        `the data of ${key} that were exported, SHA-256 ${then.sha256.slice(0, 12)}…`,
        `others in ${now?.path}`,
      );
  }
  const keys = new Set([...Object.keys(plan.settings), ...Object.keys(request.settings)]);
  for (const key of keys) {
    const [then, now] = [plan.settings[key], request.settings[key]].map((value) => JSON.stringify(value) ?? 'nothing');
    if (then !== now) throw changed(folder, `${key} as exported: ${then}`, String(now));
  }
}

function recordOf(path: string): Readonly<Record<string, unknown>> {
  let found: unknown;
  try {
    found = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw badJob(path, 'a job that lossgraft export-job wrote', cause instanceof Error ? cause.message : String(cause));
  }
  if (isRecord(found)) return found;
  throw badJob(path, 'an object', typeof found);
}

function badJob(where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'bad-job',
    where,
    expected,
    found,
    hint: 'Export the job again with this version',
  });
}

function unfinished(where: string, done: number, epochs: number): LossgraftError {
  return new LossgraftError({
    code: 'job-unfinished',
    where,
    expected: `${epochs} finished epochs`,
    found: String(done),
    hint: 'Start the runner again, as its README.md says: it continues from its last checkpoint',
  });
}

function changed(where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'job-changed',
    where,
    expected,
    found,
    hint: 'Collect it with the same model, data and version of lossgraft, or export the job again',
  });
}
