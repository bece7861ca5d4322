import { option } from '../errors.ts';
import { badOption } from '../options/check.ts';
import type { Refit } from '../trainer/request.ts';
import { type Arms, bindArms } from './bindArms.ts';
import { countsOf, type DividedData } from './data.ts';
import type { Catalogue, OrderedTrainOptions } from './options.ts';
import type { Plan } from './plan.ts';

/** Unless requested, a training is repeated only up to this many samples: with more, a fifth more adds little. */
const MOST_SAMPLES = 20_000;

/** The losses for all samples if the training will be repeated on them, and notes about that. */
export interface RefitChoice {
  readonly refit?: Refit;
  readonly notes: readonly string[];
}

/** @throws LossgraftError `option-range` if it is requested but impossible. */
export function refitChoice(
  catalogue: Catalogue,
  options: OrderedTrainOptions,
  plan: Plan,
  { train, validation, folds, counts: { length: classes } }: DividedData,
  softLabels: boolean,
): RefitChoice {
  const why = hindrance(options, plan, folds !== undefined);
  if (options.refit && why !== undefined) throw badOption('refit', `false: ${why}`, 'true');
  const samples = train.rows.length + validation.rows.length;
  const isMeant = plan.method !== null && samples <= MOST_SAMPLES;
  if (why !== undefined || !(options.refit ?? isMeant)) return { notes: [] };
  const held = countsOf(validation, classes);
  const trainCounts = countsOf(train, classes).map((count, k) => count + (held[k] ?? 0));
  const { arms, first, crossEntropy, influence }: Arms = bindArms(catalogue, options, plan, {
    counts: trainCounts,
    samples,
    softLabels,
  });
  const note =
    `If the ${validation.rows.length} samples that are held out show the trained model to be better, its training is repeated on all ${samples}, ` +
    `from the same weights, and that is written. It takes as long again; ${option('refit', false)} writes what was judged`;
  return { refit: { arms, first, crossEntropy, influence, trainCounts }, notes: [note] };
}

/** Why a run has nothing to repeat. */
function hindrance(
  { validation, threshold, patience }: OrderedTrainOptions,
  { select }: Plan,
  hasFolds: boolean,
): string | undefined {
  if (typeof validation === 'object')
    return `with ${option('validation')} all samples of ${option('data')} are trained on`;
  if (hasFolds) return `with ${option('folds')} all samples are trained on`;
  if (select !== 'last') return `held-out samples choose the epoch; it needs ${option('select', 'last')}`;
  if (patience !== undefined) return `held-out samples end the training with ${option('patience')}`;
  if (threshold === 'tune') return `${option('threshold', 'tune')} needs samples that were not trained on`;
  return undefined;
}
