import { fixedBatch } from '../data/samples.ts';
import { LossgraftError } from '../errors.ts';
import { chooseStepsPerRun, type Group, groupsOf } from './groups.ts';
import type { TrainerRequest } from './request.ts';

export interface GroupPlan {
  readonly groups: readonly Group[];
  readonly notes: readonly string[];
}

/** Divides the epochs of a run into runs of the graph, and reports what is left out. @throws LossgraftError `too-few-samples`. */
export function planGroups(request: TrainerRequest, stateBytes: number): GroupPlan {
  const { train, batchSize, ports, crossEntropy } = request;
  const { rows, samples } = train;
  const rest = rows.length % batchSize;
  const fixed = fixedBatch(ports);
  const isLone = rest === 1 && crossEntropy.batchNorm === 'train';
  const isLeft = rest > 0 && (fixed !== undefined || isLone);
  const stepsPerRun = request.stepsPerRun ?? chooseStepsPerRun(stateBytes, batchSize * samples.rowBytes);
  const groups = groupsOf(rows.length, { batchSize, stepsPerRun, keepRest: !isLeft });
  if (groups.length === 0) {
    throw new LossgraftError({
      code: 'too-few-samples',
      where: samples.name,
      expected: `at least ${batchSize} training samples, one batch`,
      found: `${rows.length}`,
      hint: 'Use more data or a smaller batch',
    });
  }
  const why = isLone
    ? 'BatchNorm needs more than one sample for a variance'
    : `this model has a fixed batch size of ${fixed}`;
  const notes = isLeft ? [`Each epoch skips ${rest} samples, different ones each time: ${why}`] : [];
  return { groups, notes };
}
