import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawAugmentation } from '../../data/augmentation.ts';
import { encodeNpy } from '../../data/numpy/npy.ts';
import { sampledOrder } from '../../data/sampler.ts';
import { phaseOf, rateAt } from '../../records/schedule.ts';
import { type Group, stepsIn } from '../../trainer/groups.ts';
import type { TrainerRequest } from '../../trainer/request.ts';
import type { JobEpoch } from './planFile.ts';

/** The samples of an epoch. */
export function samplesIn(groups: readonly Group[]): number {
  return groups.reduce((sum, { steps, batch }) => sum + steps * batch, 0);
}

/** Writes the order, the rates and the draws of every epoch: those of a training in one process. */
export function writeEpochs(folder: string, request: TrainerRequest, groups: readonly Group[]): JobEpoch[] {
  const { train, schedule, seed, arms, augmentation = {} } = request;
  const places = new Uint32Array(train.samples.size);
  for (const [place, row] of train.rows.entries()) places[row] = place;
  const steps = stepsIn(groups);
  const isMoved = (augmentation.padding ?? 0) > 0 || augmentation.flip === true;
  mkdirSync(join(folder, 'epochs'));
  return Array.from({ length: schedule.epochs }, (_, epoch) => {
    const phase = phaseOf(schedule, epoch);
    const sampler = phase === 'first' ? 'instance' : (arms[0]?.sampler ?? 'instance');
    const rows = sampledOrder(train, sampler, { seed, epoch }).slice(0, samplesIn(groups));
    const name = (what: string): string => `epochs/${String(epoch + 1).padStart(4, '0')}-${what}.npy`;
    const order = name('order');
    const dims = [rows.length];
    writeArray(join(folder, order), { dtype: 'uint32', dims, data: rows.map((row) => places[row] ?? 0) });
    const rates = name('rates');
    const data = Float32Array.from({ length: steps }, (__, step) =>
      rateAt(schedule, { epoch, step, stepsPerEpoch: steps }),
    );
    writeArray(join(folder, rates), { dtype: 'float32', dims: [steps], data });
    if (!isMoved) return { graph: phase, order, rates, draws: null };
    const draws = name('draws');
    const drawn = Array.from(rows, (row) => drawAugmentation(augmentation, seed, epoch, row));
    const moves = Uint16Array.from(drawn.flatMap(({ top, left, flipped }) => [top, left, Number(flipped)]));
    writeArray(join(folder, draws), { dtype: 'uint16', dims: [rows.length, 3], data: moves });
    return { graph: phase, order, rates, draws };
  });
}

function writeArray(path: string, tensor: Parameters<typeof encodeNpy>[0]): void {
  writeFileSync(path, encodeNpy(tensor));
}
