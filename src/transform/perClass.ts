import { checkClassCounts } from '../classCounts.ts';
import type { Loss, LossInputs } from '../contract.ts';
import type { Emitter, Value } from '../emit/index.ts';
import { LossgraftError, option } from '../errors.ts';
import type { Task } from '../task.ts';

/** The per-class numbers of a loss. */
export interface PerClass {
  readonly classWeights?: ClassWeights;
  /** Training samples of each class, for a loss with `needsCounts`. */
  readonly classCounts?: readonly number[];
  /** The total number of training samples, which counts of several labels per sample do not tell. */
  readonly sampleCount?: number;
}

/** One weight per class, and their origin. */
export interface ClassWeights {
  /** `null`: only a multi-label loss uses them. */
  readonly values: readonly number[] | null;
  readonly how: string;
  /** Instead of these, for a multi-label loss: weights of the labels that a sample has. `null`: their basis is unknown. */
  readonly positives?: readonly number[] | null;
}

/** Weights for the report. */
export interface WeightsReport {
  readonly how: string;
  readonly values: readonly number[];
  /** For a multi-label loss: only those of the labels that a sample has. */
  readonly isPositive?: true;
}

interface Width {
  readonly task: Task;
  readonly classes: number | undefined;
}

/** Class weights as inputs of the loss, and notes on them. */
export function weightsOf(
  op: Emitter,
  { classWeights }: PerClass,
  { task, classes }: Width,
):
  | {
      readonly inputs: Pick<LossInputs, 'weights' | 'positiveWeights'>;
      readonly report: WeightsReport;
    }
  | undefined {
  if (classWeights === undefined) return undefined;
  const { how, values, positives } = classWeights;
  const constant = (own: readonly number[]): Value =>
    op.constant({ dtype: 'float32', dims: [own.length], data: Float32Array.from(own) });
  if (task === 'exclusive' || positives === undefined) {
    if (values === null) throw noPositives();
    checkLength(values, classes);
    return { inputs: { weights: constant(values) }, report: { how, values } };
  }
  if (positives === null) throw noSampleCount(`the class weights ${how}`);
  if (positives.length > 1) checkLength(positives, classes);
  return {
    inputs: { weights: undefined, positiveWeights: constant(positives) },
    report: { how, values: positives, isPositive: true },
  };
}

function noPositives(): LossgraftError {
  return new LossgraftError({
    code: 'unused-option',
    where: 'option positiveWeights',
    expected: 'a multi-label loss, which weighs the labels that a sample has against those that it has not',
    found: 'a loss for exclusive classes',
    hint: `Give class weights with ${option('classWeights')}`,
  });
}

function noSampleCount(what: string): LossgraftError {
  return new LossgraftError({
    code: 'option-needs-option',
    where: 'option sampleCount',
    expected: `the number of training samples, from which ${what} are made: counts of several labels per sample do not tell it`,
    found: `no ${option('sampleCount')}`,
    hint: `Add ${option('sampleCount')}`,
  });
}

/** The counts that the loss needs. @throws LossgraftError if they are missing, or not one for each class. */
export function countsOf(
  { classCounts, sampleCount }: PerClass,
  loss: Loss,
  { task, classes }: Width,
): readonly number[] {
  if (classCounts === undefined) {
    throw new LossgraftError({
      code: 'option-needs-option',
      where: 'option classCounts',
      expected: `the number of training samples per class: the loss ${loss.name} is built from them`,
      found: `no ${option('classCounts')}`,
      hint: `Add ${option('classCounts')}, as a list or as a file with the labels`,
    });
  }
  checkClassCounts(classCounts);
  checkLength(classCounts, classes);
  if (task === 'multi-label' && sampleCount === undefined) throw noSampleCount(`the weights of ${loss.name}`);
  return classCounts;
}

function checkLength(perClass: readonly number[], classes: number | undefined): void {
  if (classes === undefined || perClass.length === classes) return;
  throw new LossgraftError({
    code: 'class-count-mismatch',
    where: 'class counts or weights',
    expected: `${classes}, one for each class of the model`,
    found: `${perClass.length}`,
    hint: 'List them in the order of the model’s classes',
  });
}
