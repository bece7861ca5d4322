import { type Dataset, LABELS } from '../data/dataset.ts';
import { type LabelsShown, labelsShown } from '../data/labelsShown.ts';
import { isMixed, type Mixing } from '../data/mixing.ts';
import type { Samples } from '../data/samples.ts';
import { hardened } from '../data/softLabels.ts';
import type { TrainOptions } from './options.ts';

/** The labels of the training data as they are shown, and all data with one class per sample where labels are probabilities. */
export async function withHardLabels(
  options: TrainOptions,
  name: string,
): Promise<{ readonly given: TrainOptions; readonly shown: LabelsShown }> {
  const { data, validation, test } = options;
  const shown = await labelsShown(data, name);
  const harden = async (one: Dataset): Promise<Dataset> => {
    const isSoft = (one === data ? shown : await labelsShown(one, name)) === 'probabilities';
    return isSoft ? hardened(one, one.columns.has(name) ? name : LABELS) : one;
  };
  const own = await harden(data);
  const others = {
    ...(typeof validation === 'object' ? { validation: validation === data ? own : await harden(validation) } : {}),
    ...(test === undefined ? {} : { test: await harden(test) }),
  };
  return { given: { ...options, data: own, ...others }, shown };
}

/** What becomes of labels that training reads as shares of all classes, to be said before the work. */
export function describeSoft(augmentation: Mixing, { soft }: Pick<Samples, 'soft'>): string[] {
  const { mixup = 0, cutmix = 0 } = augmentation;
  const how = [...(mixup > 0 ? [`mixup (α ${mixup})`] : []), ...(cutmix > 0 ? [`CutMix (α ${cutmix})`] : [])];
  return [
    ...(soft ? [GIVEN] : []),
    ...(isMixed(augmentation)
      ? [
          `Each step mixes every sample with the one before it in the batch by ${how.join(' or ')}, and their labels in the same shares; ` +
            'samples that are judged stay as they are',
        ]
      : []),
  ];
}

const GIVEN =
  'Labels are probabilities of the classes, in the order of the model’s scores: training reads them as they are; class counts, the split and all ' +
  'figures take the most probable class';
