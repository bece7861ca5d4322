import { augmenter } from '../data/samples.ts';
import { type Checkpoint, cutNotes, scalingNotes } from '../records/run.ts';
import { beginning, RunFolder } from '../runFolder/checkpoint.ts';
import { writeRunFile } from '../runFolder/runFile.ts';
import { withoutTf32 } from '../runtime/cuda/guard.ts';
import { type Runner, startRunner } from '../thread/runner.ts';
import { unlessAborted } from './abort.ts';
import { describeFeatures, planFeatures } from './featurePlan.ts';
import { trainedFurther } from './further.ts';
import { GraphPool } from './graphPool.ts';
import { SEEN } from './judge.ts';
import { openParts, type RunBasis, type RunParts, type SampleChange } from './parts.ts';
import { asJudged, isRefitDue, refitNotes, refitRun } from './refit.ts';
import type { TrainedRun, TrainerRequest } from './request.ts';
import { softener } from './softTargets.ts';
import { Trainer } from './trainer.ts';

/** Trains all arms, or resumes a run. @throws LossgraftError as its parts do; the last checkpoint stays intact. */
export async function runTraining(request: TrainerRequest): Promise<TrainedRun> {
  if (request.provider === 'cuda') withoutTf32();
  const runner = startRunner();
  try {
    return await trainIn(runner, request);
  } finally {
    await runner.close();
  }
}

async function trainIn(runner: Runner, request: TrainerRequest): Promise<TrainedRun> {
  const graphs = new GraphPool(request.model, runner, request.provider, request.threads);
  const folder = new RunFolder(request.folder, request.data.classNames);
  const augment = augmenter(request.data, request.ports, request.augmentation);
  const change = { augment, soften: softener(request) };
  const found = folder.begin(request.mode, request.settings);
  const further = found && trainedFurther(found, request);
  if (further) request.onNote?.(further.note);
  const at = further?.checkpoint ?? found ?? { ...beginning(request.settings), model: modelOf(request) };
  if (request.record) writeRunFile(folder.path, request.record, request.mode === 'resume');
  if (at.outcome && !isRefitDue(at, request)) {
    const checkpoint = request.refit ? at : asJudged(at);
    return { interrupted: false, checkpoint, notes: seenNotes(checkpoint) };
  }
  // A resumed run repeats every bit; on other machines that is impossible.
  const note = await graphs.lowering.settle(request, at.block);
  const { cacheFeatures: mode = 'auto' } = request;
  const planned = await unlessAborted(request.signal, () => planFeatures({ request, runner, graphs, mode }));
  if (planned === undefined) return interruptedAt(folder, at, graphs);
  const { train, validation, report, close } = planned;
  const notes = [further?.note, note, describeFeatures(report)].filter((text) => text !== undefined);
  try {
    const basis: RunBasis = { request: { ...request, train, validation }, runner, graphs, folder, notes };
    const parts = await openParts(basis, at, change);
    const trained = at.outcome ? { interrupted: false, checkpoint: at } : await new Trainer(parts, at).run();
    const { interrupted, checkpoint } = await refitted(parts, trained, change);
    return { interrupted, checkpoint, features: report, notes: [...graphs.notes, ...seenNotes(checkpoint), ...notes] };
  } finally {
    close();
  }
}

/** Repeats the chosen training on all samples, if requested. */
async function refitted(
  parts: RunParts,
  trained: Pick<TrainedRun, 'interrupted' | 'checkpoint'>,
  change: SampleChange,
): Promise<Pick<TrainedRun, 'interrupted' | 'checkpoint'>> {
  const { interrupted, checkpoint } = trained;
  if (interrupted || !isRefitDue(checkpoint, parts.request)) return trained;
  const whole = await unlessAborted(parts.request.signal, () => refitRun(parts, checkpoint, change));
  return whole === undefined ? { interrupted: true, checkpoint } : { interrupted: false, checkpoint: whole };
}

function modelOf({ modelPath: path, names }: TrainerRequest): NonNullable<Checkpoint['model']> {
  return { path, ...(names ? { names } : {}) };
}

/** Nothing was trained yet: the run begins or continues normally. */
function interruptedAt(folder: RunFolder, checkpoint: Checkpoint, { notes }: GraphPool): TrainedRun {
  folder.commit(checkpoint);
  return { interrupted: true, checkpoint, notes: [...notes] };
}

function seenNotes(checkpoint: Checkpoint): string[] {
  const {
    history: [given],
    outcome,
  } = checkpoint;
  const warning = outcome?.decision.warning ?? null;
  // The classes of a new head are unseen.
  const isOwn = checkpoint.settings.head === undefined;
  const seen = isOwn && given?.phase === 'before' && given.accuracy === 1 ? [SEEN] : [];
  return [
    ...cutNotes(checkpoint),
    ...scalingNotes(checkpoint),
    ...refitNotes(checkpoint),
    ...seen,
    ...(warning === null ? [] : [warning]),
  ];
}
