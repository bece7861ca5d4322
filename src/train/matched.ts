import { orderedBy } from '../bind.ts';
import type { ClassNames } from '../classes/names.ts';
import { fixedBatch, inputPorts } from '../data/samples.ts';
import { preparationIn } from '../data/tables/preparation.ts';
import { manifestRecord } from '../manifest.ts';
import { thresholdPolicy } from '../metrics/thresholdChoice.ts';
import type { ThresholdPolicy } from '../metrics/thresholds.ts';
import { badOption } from '../options/check.ts';
import { refuseEmptyInputs } from '../runtime/feeds.ts';
import type { Port } from '../runtime/session.ts';
import { alignData } from './classes.ts';
import { type DividedData, divide } from './data.ts';
import { foldChoice } from './folds.ts';
import type { OrderedTrainOptions, TrainOptions } from './options.ts';
import type { Subject } from './subject.ts';

/** The data as the model reads them, divided. */
export interface Matched {
  readonly options: OrderedTrainOptions;
  readonly names: ClassNames | undefined;
  readonly thresholds: ThresholdPolicy | undefined;
  readonly ports: readonly Port[];
  readonly parts: DividedData;
  readonly batchSize: number;
  readonly notes: readonly string[];
}

export async function matchedData({ source, given, proposed, labels, head }: Subject): Promise<Matched> {
  const { classes, task } = labels;
  const { options: aligned, names, notes } = await alignData(source, given, labels, head);
  const options = orderedBy({ ...aligned, task }, () => names);
  refuseForLabels(options);
  const thresholds = thresholdsOf(options, { classes, names: names?.names ?? options.data.classNames });
  const ports = inputPorts(source, labels);
  refuseEmptyInputs(source.name, ports);
  const recorded = preparationIn(manifestRecord(source.proto), source.name);
  const choice = foldChoice(source, options, proposed, { classes, task, hasOtherClasses: head !== undefined });
  const seed = options.splitSeed ?? proposed.seed;
  const parts = await divide(options, ports, labels, { seed, recorded, foldsFor: choice.foldsFor });
  const batchSize = fixedBatch(ports) ?? proposed.batchSize;
  refuseBatch(options, batchSize);
  return { options, names, thresholds, ports, parts, batchSize, notes: [...notes, ...parts.notes, ...choice.notes] };
}

/** Options without meaning if samples may have several labels. */
function refuseForLabels({ task, imbalance, costs, threshold }: TrainOptions): void {
  if (task === 'exclusive') {
    if (threshold !== undefined)
      throw badOption(
        'threshold',
        'a multi-label model; exclusive classes are predicted by the highest score',
        threshold,
      );
    return;
  }
  const expected = 'exclusive classes; these samples may have several labels';
  if (imbalance !== undefined) throw badOption('imbalance', expected, imbalance);
  if (costs !== undefined) throw badOption('costs', expected, 'costs');
}

function thresholdsOf(
  { task, threshold }: TrainOptions,
  labels: Parameters<typeof thresholdPolicy>[1],
): ThresholdPolicy | undefined {
  return task === 'multi-label' ? thresholdPolicy(threshold, labels) : undefined;
}

function refuseBatch({ batchSize }: TrainOptions, fixed: number): void {
  if (batchSize !== undefined && batchSize !== fixed)
    throw badOption('batchSize', `${fixed}, the fixed batch size of this model`, batchSize);
}
