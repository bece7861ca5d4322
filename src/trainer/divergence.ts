import { LossgraftError, option } from '../errors.ts';

/** The circumstances of a loss that is not finite. */
export interface Divergence {
  readonly epoch: number;
  readonly step: number;
  readonly stepsPerEpoch: number;
  readonly loss: number;
  readonly rate: number;
  /** The previous loss, and the first of the run. */
  readonly before: number | undefined;
  readonly first: number | undefined;
  /** The batch's samples as the user knows them. */
  readonly rows: readonly string[];
  /** The float32 inputs of the batch and of those run with it; `rowOf` names the sample of an element. */
  readonly inputs: readonly { readonly name: string; readonly data: Float32Array; rowOf(element: number): string }[];
  /** A tensor of the state that is no longer finite. */
  readonly broken: string | undefined;
  /** The file of the last good state. */
  readonly kept: string;
}

/** The error with the place where training broke down, the batch, and the likely cause. */
export function nanLoss(found: Divergence): LossgraftError {
  const { epoch, step, stepsPerEpoch, loss, rows, kept } = found;
  const shown = rows.slice(0, 8).join(', ') + (rows.length > 8 ? `, … (${rows.length})` : '');
  const error = new LossgraftError({
    code: 'nan-loss',
    where: `epoch ${epoch + 1}, step ${step + 1} of ${stepsPerEpoch}, batch of ${shown}`,
    expected: 'a finite loss',
    found: `${loss}; likely cause: ${likelyCause(found)}`,
    hint: `The last good state is in ${kept}`,
  });
  if (found.inputs.some(({ data }) => !data.every(Number.isFinite))) OF_DATA.add(error);
  return error;
}

/** Errors that another learning rate cannot fix. */
const OF_DATA = new WeakSet<LossgraftError>();

/** Whether training broke down in a way that a smaller learning rate may avoid. */
export function mayBeOfRate(error: unknown): error is LossgraftError {
  return error instanceof LossgraftError && error.code === 'nan-loss' && !OF_DATA.has(error);
}

function likelyCause({ inputs, broken, rate, before, first }: Divergence): string {
  const lower = `lower the learning rate (${rate}), warm it up, or clip gradients with ${option('clipNorm')}`;
  const input = inputs.find(({ data }) => !data.every(Number.isFinite));
  if (input !== undefined) {
    const row = input.rowOf(input.data.findIndex((value) => !Number.isFinite(value)));
    return `the input "${input.name}" holds Infinity in ${row}; clean the data`;
  }
  if (broken !== undefined) return `weights left the range of float32 ("${broken}"); ${lower}`;
  if (before !== undefined && first !== undefined && before > 10 * Math.abs(first)) {
    return `the loss grew from ${first.toPrecision(3)} to ${before.toPrecision(3)}; ${lower}`;
  }
  const largest = inputs.reduce((max, { data }) => data.reduce((m, x) => Math.max(m, Math.abs(x)), max), 0);
  if (largest > 1e4)
    return `inputs are as large as ${largest.toPrecision(3)}; scale the data as for the model’s training`;
  return `scores too large for float32; ${lower}`;
}

/** Weights that left the range of float32 in an epoch's last update. */
export function brokenWeights(epoch: number, tensor: string, folder: string): LossgraftError {
  return new LossgraftError({
    code: 'nan-loss',
    where: `the end of epoch ${epoch + 1}, tensor "${tensor}"`,
    expected: 'finite weights',
    found: 'NaN or Infinity; likely cause: the learning rate is too high',
    hint: `Lower it, warm it up, or clip gradients with ${option('clipNorm')}. The last good state is in ${folder}`,
  });
}

/** Non-finite scores of the validation data with finite weights; `epoch` is undefined for the given model. */
export function brokenScores(epoch: number | undefined, loss: number, folder: string): LossgraftError {
  const isGiven = epoch === undefined;
  const cause = isGiven ? 'data on a different scale than in the model’s training' : 'the learning rate is too high';
  return new LossgraftError({
    code: 'nan-loss',
    where: `the validation data, ${isGiven ? 'before training' : `after epoch ${epoch + 1}`}`,
    expected: 'a finite cross-entropy',
    found: `${loss}; likely cause: ${cause}`,
    hint: isGiven
      ? 'Prepare the data as for the model’s training'
      : `Lower it, warm it up, or clip gradients with ${option('clipNorm')}. The last good state is in ${folder}`,
  });
}
