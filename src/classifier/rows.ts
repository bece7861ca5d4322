import { LossgraftError, option } from '../errors.ts';
import { toNumbers } from '../numbers.ts';
import type { Tensor } from '../tensor.ts';
import type { ScoreForm } from './place.ts';

/** A model's scores of a batch as logits: the softmax of a row gives its probabilities. */
export interface LogitRows {
  readonly classes: number;
  /** [count, classes] in rows. */
  readonly logits: ArrayLike<number>;
  /** Whether the model returns probabilities, whose logarithms serve as logits. */
  readonly areLogs: boolean;
}

/** Where scores come from, for messages. */
export interface ScoreSource {
  readonly form: ScoreForm;
  readonly output: string;
  readonly model: string;
  /** As the file states; `undefined` if it does not. */
  readonly classes: number | undefined;
}

/** Turns scores of any form into logits, batch by batch. The first batch decides whether unlabelled scores are probabilities. */
export function scoreReader({ form, output, model, classes: stated }: ScoreSource): {
  read(scores: Tensor | undefined, start: number, count: number): LogitRows;
  notes(): string[];
} {
  let areProbabilities: boolean | undefined;
  let known = stated;
  const where = `${model}, output "${output}"`;
  const read = (scores: Tensor | undefined, start: number, count: number): LogitRows => {
    const numbers = scores === undefined ? [] : numbersOf(scores);
    const fed = scores?.dims[0] ?? 0;
    const width = fed < count ? 0 : numbers.length / fed;
    const expected = form === 'binary' ? 1 : known;
    if (!Number.isInteger(width) || width === 0 || (expected !== undefined && width !== expected))
      throw wrongScores(where, expected, count, scores);
    if (form !== 'binary' && width < 2) throw oneNumber(where);
    known = form === 'binary' ? 2 : width;
    const own = numbers.length === count * width ? numbers : numbers.slice(0, count * width);
    refuseNaN(own, width, start, where);
    if (form === 'binary') return { classes: 2, logits: Array.from(own, (z) => [0, z]).flat(), areLogs: false };
    if (form === 'logits' || form === 'labels') return { classes: width, logits: own, areLogs: false };
    const fits = addUp(own, width);
    areProbabilities ??= fits;
    if (!areProbabilities) return { classes: width, logits: own, areLogs: false };
    if (!fits) throw noProbabilities(where, start, count);
    return { classes: width, logits: Float64Array.from(own, Math.log), areLogs: true };
  };
  const notes = (): string[] => {
    if (areProbabilities)
      return [
        `The scores "${output}" of every sample are from 0 to 1 and add up to 1: they are taken for probabilities`,
      ];
    if (form !== 'classical') return [];
    return [
      `The scores "${output}" are no probabilities: what is shown as such is their softmax, which keeps their order and no more`,
    ];
  };
  return { read, notes };
}

function numbersOf(tensor: Tensor): ArrayLike<number> & { slice(start: number, end: number): ArrayLike<number> } {
  const { data } = tensor;
  return data instanceof Float32Array || data instanceof Float64Array ? data : toNumbers(tensor);
}

/** Rounded sums of float16 differ from 1 by less. */
const SUM_TOLERANCE = 2e-3;

function addUp(scores: ArrayLike<number>, classes: number): boolean {
  for (let start = 0; start < scores.length; start += classes) {
    let sum = 0;
    for (let k = 0; k < classes; k++) {
      const score = scores[start + k] ?? 0;
      if (score < 0) return false;
      sum += score;
    }
    if (Math.abs(sum - 1) > SUM_TOLERANCE) return false;
  }
  return true;
}

function refuseNaN(scores: ArrayLike<number>, classes: number, start: number, where: string): void {
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] ?? 0;
    if (score < Number.POSITIVE_INFINITY) continue;
    throw new LossgraftError({
      code: 'scores-not-finite',
      where: `${where}, row ${start + Math.floor(i / classes)}`,
      expected: 'a number for each class',
      found: `${score} for class ${i % classes}`,
      hint: 'Look at that row: values that the model was not trained for overflow in it. Leave it out, or prepare it as in training',
    });
  }
}

function wrongScores(
  where: string,
  classes: number | undefined,
  count: number,
  found: Tensor | undefined,
): LossgraftError {
  return new LossgraftError({
    code: 'wrong-output',
    where,
    expected: `${classes === undefined ? 'scores of two or more classes' : `${classes} ${classes === 1 ? 'score' : 'scores'}`} for each of ${count} samples`,
    found: found === undefined ? 'nothing' : `${found.dtype ?? 'no tensor'}[${found.dims.join(', ')}]`,
    hint: `Name the scores with ${option('logits')}; a model that mixes the samples of a batch has to be exported otherwise`,
  });
}

function oneNumber(where: string): LossgraftError {
  return new LossgraftError({
    code: 'no-classifier',
    where,
    expected: 'scores of two or more classes',
    found: 'one number for each sample',
    hint: `A model that gives a number is no classifier. Where it gives the logit of the second of two classes, name it with ${option('logits')}`,
  });
}

function noProbabilities(where: string, start: number, count: number): LossgraftError {
  return new LossgraftError({
    code: 'scores-unclear',
    where: `${where}, rows ${start} to ${start + count - 1}`,
    expected: 'scores from 0 to 1 that add up to 1 in every row, as in the rows before',
    found: 'others',
    hint: `Name the scores before the softmax with ${option('logits')}`,
  });
}
