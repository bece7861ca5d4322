import type { Evidence } from '../classes/evidence.ts';
import type { ClassNames } from '../classes/names.ts';
import type { Augmentation } from '../data/augmentation.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Mixing } from '../data/mixing.ts';
import type { Sampler } from '../data/sampler.ts';
import type { Part } from '../data/samples.ts';
import type { ThresholdPolicy } from '../metrics/thresholds.ts';
import type { Model } from '../model.ts';
import type { CompleteOptions } from '../options/row.ts';
import type { FeatureReport } from '../records/features.ts';
import type { Goal } from '../records/methods.ts';
import type { Predictions } from '../records/outOfFold.ts';
import type { Checkpoint, HeadRecord, RunMode } from '../records/run.ts';
import type { RunFile } from '../records/runFile.ts';
import type { Schedule } from '../records/schedule.ts';
import type { Port, Provider } from '../runtime/session.ts';
import type { trainerRows } from '../tables/train/trainer.ts';
import type { Tensor } from '../tensor.ts';
import type { TrainGraphRequest } from '../trainGraph/trainGraph.ts';
import type { GraftRequest } from '../transform/graft.ts';

/** The epochs of a training whose steps were taken elsewhere: their states, and the sums of their losses. */
export type WalkedEpochs = readonly {
  /** The safetensors file of the state after it. */
  readonly path: string;
  readonly lossSum: number;
  readonly lossCount: number;
  readonly seconds: number;
}[];

export type GraphRequest = Omit<TrainGraphRequest, 'form' | 'stepsPerRun'>;

/** One way to train; arms share the same start. */
export interface Arm {
  readonly name: string;
  /** How often its epochs draw each class. Default `instance`. */
  readonly sampler?: Sampler;
  /** The loss's training graph, for a calibrated alpha. */
  graph(alpha: number | undefined): GraphRequest;
  /** Where alpha is calibrated: the cross-entropy and the loss at α = 1, both with the arm's class weights. */
  readonly calibration?: { readonly ce: GraftRequest; readonly loss: GraftRequest };
}

/** The same training on all samples, including the held-out ones: its losses use their counts. */
export type Refit = Pick<TrainerRequest, 'arms' | 'first' | 'crossEntropy' | 'influence' | 'trainCounts'>;

export interface TrainerRequest extends Omit<CompleteOptions<typeof trainerRows>, 'provider'> {
  readonly provider: Provider;
  readonly model: Model;
  /** The path of the given file; `null` for bytes. */
  readonly modelPath: string | null;
  /** The new head with other classes. */
  readonly changedHead?: HeadRecord;
  /** The first one is written back. */
  readonly arms: readonly Arm[];
  /** Tensors of the last layer that replace the model's at the start. */
  readonly newHead?: Readonly<Record<string, Tensor>>;
  /** For the first phase. */
  readonly first: GraphRequest;
  /** Without class weights: judges every epoch. */
  readonly crossEntropy: GraphRequest;
  /** The influence-balanced loss without class weights, with the first arm's alpha: it finally compares samples. */
  influence(alpha: number | undefined): GraftRequest & { readonly keepTies?: boolean };
  /** A column of the training data, for the value of black. */
  readonly data: Dataset;
  readonly ports: readonly Port[];
  readonly train: Part;
  /** Training samples of each class. */
  readonly trainCounts: readonly number[];
  readonly validation: Part;
  /** If samples may have several labels: how they become predictions. */
  readonly thresholds?: ThresholdPolicy;
  /**
   * Checks before training whether labels are the model's classes. @returns notes.
   *
   * @throws LossgraftError if they are not.
   */
  readonly checkOrder?: (evidence: Evidence) => Promise<readonly string[]>;
  /** Used only at the end, never before. */
  readonly test?: Part;
  readonly schedule: Schedule;
  readonly select: 'best' | 'last';
  /** The metric to improve, which decides which models are taken. */
  readonly goal: Goal;
  /** The loss that measurements showed to harm no model, if only that is trained. */
  readonly safeLoss: string | null;
  /** Whether the best of all losses is taken instead of the first one. */
  readonly takesBest: boolean;
  /** Whether this is a fold of a cross-validation: it ends with its models' results on the validation data. */
  readonly isFold?: boolean;
  /** If the chosen training is repeated on all samples, and that is written. */
  readonly refit?: Refit;
  /** Whether this is such a repetition: it makes no decision. */
  readonly isRefit?: boolean;
  /** The results of such folds' models on the validation data, which are then trained on and judged by these results. */
  readonly outOfFold?: Predictions;
  /** Whether the validation data are a share of the training data. */
  readonly isHeldOut: boolean;
  /** Whether validation and training data are samples of the same data. */
  readonly hasOneSource: boolean;
  readonly selectBy: NonNullable<CompleteOptions<typeof trainerRows>['selectBy']>;
  readonly batchSize: number;
  readonly seed: number;
  readonly augmentation?: Augmentation & Mixing;
  /** The names of all classes. */
  readonly names?: ClassNames;
  /** Called with notes at once. */
  readonly onNote?: (note: string) => void;
  readonly folder: string;
  readonly mode: RunMode;
  /** Its steps were taken elsewhere: what is left is to judge them. */
  readonly walked?: WalkedEpochs;
  /** Everything that determines the result, as plain data. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The content of `run.json`. */
  readonly record?: RunFile;
}

/** The outcome of a run. */
export interface TrainedRun {
  /** Ended by the signal: the checkpoint is written, but there is no outcome yet. */
  readonly interrupted: boolean;
  readonly checkpoint: Checkpoint;
  /** `undefined` if the run was done before. */
  readonly features?: FeatureReport;
  readonly notes: readonly string[];
}
