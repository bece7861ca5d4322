import { option } from '../../errors.ts';
import { choice, flag, type RunRows, text, texts, value } from '../../options/row.ts';
import { METHOD_NAMES, methods } from '../../records/methods.ts';
import { classWeightsRow, lossRow, placeRows, positiveWeightsRow, WEIGHTS_FILE, weightsRow } from '../graft.ts';
import { own, within } from './settings.ts';

const isAlpha = (alpha: unknown): alpha is number | 'auto' => alpha === 'auto' || typeof alpha === 'number';

/** The method or the losses to train with. */
export const lossRows = {
  /** How the model is corrected for the skew of the data, if no loss is requested. Default: by `goal`. */
  method: choice(
    METHOD_NAMES,
    `${METHOD_NAMES.map((name) => `${name}: ${methods[name].describe}`).join('; ')} (default: by ${option('goal')})`,
    {
      ...within,
      first: true,
      excludes: ['loss', 'recipe'],
    },
  ),
  /**
   * The metric to improve: `macro-f1` (default), recall and precision of all classes, by half a correction; `balanced-accuracy`, recall
   * alone.
   */
  goal: choice(
    ['macro-f1', 'balanced-accuracy'],
    'What to gain. macro-f1: recall and precision of all classes (method half); balanced-accuracy: recall alone (method full)',
    { ...within, first: true, default: 'macro-f1' },
  ),
  /** A name from `losses`, or a custom loss, instead of a method. */
  loss: {
    ...lossRow,
    more: `Replaces ${option('method')}. The other defaults are then sgd, a constant rate of 0.01, 10 epochs and the best epoch`,
  },
  /** A name from `weightings`, or one weight per class. Default: `inverse` for the influence-balanced losses, `none` for others. */
  classWeights: {
    ...classWeightsRow,
    first: false,
    needs: 'loss',
    more: `${WEIGHTS_FILE}\nDefault: inverse for the influence-balanced losses, none for others. The training data give the counts`,
  },
  /** For a multi-label loss: one weight per label for the samples that have it, like PyTorch's `pos_weight`. */
  positiveWeights: { ...positiveWeightsRow, needs: 'loss' } as const,
  /** The same as `classWeights`. */
  weights: { ...weightsRow, needs: 'loss' } as const,
  /** A number, or `auto`: when the loss takes over, its mean is scaled to that of the cross-entropy. */
  alpha: value(
    'a number, or auto',
    isAlpha,
    'A number (default 1000), or auto: scale the loss so that it starts with the mean of the cross-entropy',
    { ...own, reads: 'a number, or auto', parse: parseAlpha },
  ),
  /** Also trains with class-weighted cross-entropy, from the same start. */
  baseline: flag('Also train with class-weighted cross-entropy from the same start; on some data it wins', within),
  /** Further losses to train with from the same start: `ce`, with class weights `ce+inverse`, with classes drawn equally often `ce+sampled`. */
  compare: texts('Also train with these losses from the same start: ce,ib-focal,ce+effective,ce+sampled', within),
  /** The loss of the first phase, with class weights as in `ldam+none`. Default `ce`, without. */
  firstLoss: text('The loss of the first phase, with class weights as in ldam+none (default: ce without weights)', {
    ...within,
    needs: 'ibFrom',
  }),
  ...placeRows,
} as const satisfies RunRows;

function parseAlpha(text: string): number | 'auto' | undefined {
  if (text === 'auto') return text;
  return text.trim() === '' || !Number.isFinite(Number(text)) ? undefined : Number(text);
}
