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

export type GraphRequest = Omit<TrainGraphRequest, 'form' | 'stepsPerRun'>;

/** One way to train, beside others from the same start. */
export interface Arm {
  readonly name: string;
  /** How often its epochs draw each class. Default `instance`. */
  readonly sampler?: Sampler;
  /** The loss's training graph, for an alpha that was calibrated. */
  graph(alpha: number | undefined): GraphRequest;
  /** Where alpha is calibrated: the cross-entropy and the loss at α = 1, both with the arm's class weights. */
  readonly calibration?: { readonly ce: GraftRequest; readonly loss: GraftRequest };
}

export interface TrainerRequest extends Omit<CompleteOptions<typeof trainerRows>, 'provider'> {
  readonly provider: Provider;
  readonly model: Model;
  /** Of the file that was given; `null` for bytes. */
  readonly modelPath: string | null;
  /** The head of other classes that the model got. */
  readonly changedHead?: HeadRecord;
  /** The first one is what is written back. */
  readonly arms: readonly Arm[];
  /** Tensors of the last layer that training begins with, and not with the model's. */
  readonly newHead?: Readonly<Record<string, Tensor>>;
  /** Of the first phase. */
  readonly first: GraphRequest;
  /** Without class weights: judges every epoch. */
  readonly crossEntropy: GraphRequest;
  /** The influence-balanced loss without class weights, with the first arm's alpha: by it samples are compared in the end. */
  influence(alpha: number | undefined): GraftRequest & { readonly keepTies?: boolean };
  /** Of the training data, for what black is. */
  readonly data: Dataset;
  readonly ports: readonly Port[];
  readonly train: Part;
  /** Training samples of each class. */
  readonly trainCounts: readonly number[];
  readonly validation: Part;
  /** Where samples may have several labels: how they become predictions. */
  readonly thresholds?: ThresholdPolicy;
  /**
   * Is asked, before anything is trained, whether labels are the model's classes. @returns what the user should know.
   *
   * @throws LossgraftError where they are not.
   */
  readonly checkOrder?: (evidence: Evidence) => Promise<readonly string[]>;
  /** Looked at when all is done, never before. */
  readonly test?: Part;
  readonly schedule: Schedule;
  readonly select: 'best' | 'last';
  /** What is to gain by the training: it decides which models are taken. */
  readonly goal: Goal;
  /** The loss that was measured to harm no model, where just that is trained. */
  readonly safeLoss: string | null;
  /** Whether the best of all losses is taken, and not the first one. */
  readonly takesBest: boolean;
  /** Whether this is a fold of a cross-validation: it ends with what its models say of the validation data. */
  readonly isFold?: boolean;
  /** What models of such folds say of the validation data: these are then trained on, and judged by that. */
  readonly outOfFold?: Predictions;
  /** Whether the validation data are a share of the training data. */
  readonly isHeldOut: boolean;
  /** Whether validation and training data are samples of the same data. */
  readonly hasOneSource: boolean;
  readonly selectBy: NonNullable<CompleteOptions<typeof trainerRows>['selectBy']>;
  readonly batchSize: number;
  readonly seed: number;
  readonly augmentation?: Augmentation & Mixing;
  /** What the classes are called, all of them. */
  readonly names?: ClassNames;
  /** Hears what is to be known at once. */
  readonly onNote?: (note: string) => void;
  readonly folder: string;
  readonly mode: RunMode;
  /** All that makes the result, as plain data. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** What `run.json` says. */
  readonly record?: RunFile;
}

/** What a run came to. */
export interface TrainedRun {
  /** Ended by the signal: the checkpoint is written, and there is no outcome yet. */
  readonly interrupted: boolean;
  readonly checkpoint: Checkpoint;
  /** `undefined` where the run was done before. */
  readonly features?: FeatureReport;
  readonly notes: readonly string[];
}
