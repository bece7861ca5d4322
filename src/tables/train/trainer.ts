import { option } from '../../errors.ts';
import { METRICS } from '../../metrics/metrics.ts';
import { choice, count, given, isFunction, type RunRows, signalRow, value } from '../../options/row.ts';
import { SCORE_METHODS, type ScoreMethod } from '../../records/calibration.ts';
import type { EpochRecord } from '../../records/epoch.ts';
import type { RunProgress, TrainEvent, TrainProgress } from '../../records/progress.ts';
import { costsRow } from '../costs.ts';
import { providerRow } from '../run.ts';
import { thresholdRow } from '../thresholds.ts';
import { none, own, within } from './settings.ts';

const isScoreMethod = (given: unknown): given is ScoreMethod => SCORE_METHODS.some((method) => method === given);

function parseMethod(text: string): ScoreMethod | undefined {
  return text === '' ? SCORE_METHODS[0] : SCORE_METHODS.find((method) => method === text);
}

/** What the trainer takes as it is. */
export const trainerRows = {
  /** Steps in one run of ONNX Runtime. Default: by the size of the weights. */
  stepsPerRun: count('Steps per run of ONNX Runtime (default: depends on the size of the weights)', own),
  /** Ends after so many epochs without a better figure of --select-by on the validation data. */
  patience: count(`Stop after this many epochs without a better ${option('selectBy')} on the validation data`, own),
  /** Which epoch is taken: the last, or the best on the validation data, which is the default with a loss of one's choice. */
  select: choice(
    ['best', 'last'],
    `Which epoch to keep (default last; best with ${option('loss')}, ${option('selectBy')} or ${option('patience')})`,
    within,
  ),
  /** What the best epoch is chosen by, on the validation data. Default: by `goal`; with a loss of one's choice `balanced`, balanced accuracy. `cost` needs `costs`. */
  selectBy: choice(
    Object.values(METRICS).map(({ option }) => option),
    `The metric that chooses the best epoch on the validation data (default: from ${option('goal')}; balanced with ${option('loss')})`,
    { ...within, needs: 'select=best' },
  ),
  /**
   * Calibrates the trained model on the validation data, as `calibrate` does: where it is better on samples it was not fitted on, it goes
   * into the last layer, or into nodes behind it.
   */
  calibrate: value(
    SCORE_METHODS.join(', '),
    isScoreMethod,
    `Calibrate the trained model on the validation data, if that helps: ${SCORE_METHODS.join(', ')} (default ${SCORE_METHODS[0]})`,
    { ...own, bare: true, reads: `one of ${SCORE_METHODS.join(', ')}, or nothing`, parse: parseMethod },
  ),
  /**
   * Of a multi-label model: the probability from which on a label is predicted (default 0.5), one for all or one for each; `tune`: those with the
   * highest F1 on the validation data, judged in halves, each at the thresholds of the other. The written model records them.
   */
  threshold: {
    ...thresholdRow,
    ...own,
    more: 'tune: the thresholds with the highest F1 on the validation data (default 0.5). The written model records them',
  },
  /** The costs of wrong predictions: rows are true classes, columns are predictions. */
  costs: { ...costsRow, ...own },
  /**
   * Whether what lies before everything that is trained is computed once for each sample and kept, with the same numbers: where it is worth
   * it (`auto`, the default), always (`on`: an error says why not), or never.
   */
  cacheFeatures: choice(
    ['auto', 'on', 'off'],
    'Compute frozen layers once per sample, not in every epoch (default auto: if possible)',
    own,
  ),
  /**
   * Whether the training graph takes forms that are made for this machine's ONNX Runtime and CPU, which are faster: where they are proved to
   * compute the same (`auto`, the default), or never (`off`). No file ever holds them.
   */
  lower: choice(
    ['auto', 'off'],
    'Train with faster forms made for this machine (default auto: if they prove correct)',
    own,
  ),
  /** Default `cpu`. */
  provider: { ...providerRow, ...own },
  /**
   * Threads that compute one operator. A run may continue with another number: sums are then divided in other places, so that its weights may
   * differ in their last digits from those of a run that was never interrupted.
   */
  threads: count('Threads per operator (default: the number of cores)', none),
  /** Ends the run after the step that is under way; the checkpoint is written. */
  signal: signalRow,
  /** Hears everything; the others hear their part. */
  onEvent: given<(event: TrainEvent) => void>('a function', isFunction),
  onProgress: given<(progress: TrainProgress) => void>('a function', isFunction),
  onEpoch: given<(record: EpochRecord) => void>('a function', isFunction),
  /** While the frozen layers are computed, before the first epoch. */
  onFeatures: given<(progress: RunProgress) => void>('a function', isFunction),
} as const satisfies RunRows;
