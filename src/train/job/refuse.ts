import { isMixed } from '../../data/mixing.ts';
import { LossgraftError, option } from '../../errors.ts';
import type { TrainOptions } from '../options.ts';
import type { PreparedRun } from '../prepare.ts';

/**
 * What a job cannot hold is refused before anything is written.
 *
 * @throws LossgraftError `job-unsupported`
 */
export function refuseUnsupported(given: TrainOptions, { request, parts }: PreparedRun): void {
  const { arms, augmentation, train, provider, changedHead, newHead } = request;
  const { length: losses } = arms;
  const { seeds = 1, precision, cacheFeatures, refit } = given;
  const one = 'Export a job for each, into folders of their own';
  const here = 'Train here, with lossgraft train';
  const refused: readonly (readonly [boolean, string, string, string])[] = [
    [losses > 1, 'one loss', `${losses}: ${arms.map(({ name }) => name).join(', ')}`, one],
    [seeds > 1, 'one seed', `${seeds} seeds`, one],
    [
      parts.folds !== undefined,
      'held-out samples',
      'folds',
      `Add ${option('folds', 1)}, or train here, with lossgraft train`,
    ],
    [refit === true, 'one training', `${option('refit')}, which trains twice`, `Omit it`],
    [
      arms.some(({ calibration }) => calibration),
      'an alpha',
      `${option('alpha', 'auto')}`,
      `Name its value, as lossgraft train finds it`,
    ],
    [
      isMixed(augmentation),
      'crops and flips at most',
      'mixed samples',
      `Omit ${option('mixup')} and ${option('cutmix')}`,
    ],
    [train.samples.soft !== undefined, 'one class for each sample', 'labels that are probabilities', here],
    [
      precision !== undefined && precision !== 'float32',
      'float32',
      `${option('precision', precision ?? '')}`,
      'Omit it',
    ],
    [provider !== 'cpu', 'the CPU provider', provider, `Omit ${option('provider')}`],
    [
      cacheFeatures === 'on',
      'no cache',
      `${option('cacheFeatures', 'on')}`,
      'Omit it: workers compute frozen layers in every step',
    ],
    [
      changedHead !== undefined || newHead !== undefined,
      'the model’s own head',
      'another one',
      `Write it first, with lossgraft rehead`,
    ],
  ];
  const found = refused.find(([isRefused]) => isRefused);
  if (found === undefined) return;
  throw new LossgraftError({
    code: 'job-unsupported',
    where: 'a job for workers',
    expected: found[1],
    found: found[2],
    hint: found[3],
  });
}
