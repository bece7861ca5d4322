import type { ClassNames } from '../classes/names.ts';
import type { Tie } from '../tuned/locate.ts';
import type { RunCurves, WrongSample } from './curves.ts';
import type { RunDecision } from './decision.ts';
import type { EpochRecord } from './epoch.ts';
import type { InfluenceOutcome } from './influence.ts';
import type { DetailedMetrics } from './metrics.ts';

/** The best epoch of an arm, and its state file. */
export interface Best {
  readonly epoch: number;
  /** Its value of the choosing metric, on validation data. */
  readonly score: number;
  readonly file: string;
}

/** Where the training of an arm stopped: a longer run continues there. */
export interface ArmPlace {
  /** What comes next. */
  readonly epoch: number;
  readonly step: number;
  readonly lossSum: number;
  readonly lossCount: number;
  readonly file: string;
  readonly best: Best | null;
}

/** The head of other classes that a run trains. */
export interface HeadRecord {
  /** The initial values of new rows; `null` if there are none. */
  readonly init: 'means' | 'zeros' | 'random' | null;
  /** The old index of each class in the model; `null` if it is new. */
  readonly sources: readonly (number | null)[];
  readonly names: readonly string[] | null;
  /** Whether names that are whole numbers are what whole-number labels mean. */
  readonly areValues: boolean;
  /** The tensor named by the user as the scores. */
  readonly logits: string | null;
}

/** The state of a run. All plain data: it is written as JSON beside the states. */
export interface Checkpoint {
  readonly version: string;
  /** The run's settings; a resumed run needs the same. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The trained model and the names of its classes; `path` is `null` for bytes. */
  readonly model?: { readonly path: string | null; readonly names?: ClassNames };
  /** Index of the arm, epoch and step that come next. */
  readonly arm: number;
  readonly epoch: number;
  readonly step: number;
  /** Sum of losses and number of samples of the epoch so far. */
  readonly lossSum: number;
  readonly lossCount: number;
  /** Channels per block in the graph's forms, `null` for plain ones; fixed when the run begins. */
  readonly block?: number | null;
  /** The current state. */
  readonly file: string;
  /** The state at the switch from cross-entropy, from which every arm continues. */
  readonly shared: string | null;
  readonly best: Best | null;
  /** The finished arms. */
  readonly bests: readonly Best[];
  /** Where arms ended, by name. */
  readonly left?: Readonly<Record<string, ArmPlace>>;
  /** Calibrated alphas by arm. */
  readonly alphas: Readonly<Record<string, number>>;
  /** Where the training of an arm broke down, by name: it was repeated at {@link CUT} of the rate. */
  readonly cuts?: Readonly<Record<string, string>>;
  readonly history: readonly EpochRecord[];
  /** Set when everything is done. */
  readonly outcome: Outcome | null;
}

/** The factor on the learning rate after a non-finite loss. */
export const CUT = 0.1;

/** Notes on arms that were trained again. */
export function cutNotes({ cuts = {} }: Checkpoint): string[] {
  return Object.entries(cuts).map(
    ([arm, where]) =>
      `${arm}: the loss was not finite (${where}); training restarted once at a tenth of the learning rate`,
  );
}

/** What to tell of the steps that mixed precision did not take. */
export function scalingNotes({ history }: Pick<Checkpoint, 'history'>): string[] {
  const last = new Map(history.map((record) => [record.arm, record]));
  return [...last.values()].flatMap(({ arm, skippedSteps, lossScale }) =>
    skippedSteps === undefined
      ? []
      : [
          `${arm}: mixed precision skipped ${skippedSteps} step${skippedSteps === 1 ? '' : 's'} whose gradients left the range of float16; ` +
            `the loss scale ended at ${lossScale}`,
        ],
  );
}

/** The outcome of repeating the training on all samples. */
export interface RefitRecord {
  /** The state that is written; `null` if the judged weights are written instead. */
  readonly file: string | null;
  /** Why it is not written, as a phrase. */
  readonly why: string | null;
  /** Including the held-out ones. */
  readonly samples: number;
  /** On the test data, if there are any. */
  readonly test: DetailedMetrics | null;
  /** On the test data, like those of a run. */
  readonly curves?: RunCurves;
  readonly mistakes?: readonly WrongSample[];
}

/** How a run ended. */
export interface Outcome {
  /** The tensors written back: names in the state of the first arm's best epoch. */
  readonly tuned: readonly string[];
  readonly untied: readonly Tie[];
  /** On the test data: the given model, then each arm's best epoch. None without test data. */
  readonly tests: readonly DetailedMetrics[];
  /** The same on the validation data, if there are no test data. */
  readonly validation: readonly DetailedMetrics[];
  /** The decision which of them is written, or why none is. */
  readonly decision: RunDecision;
  /** The written model, if its weights are the halfway ones, on the same data as the others. */
  readonly half: DetailedMetrics | null;
  /** If the chosen training was repeated on all samples. */
  readonly refit?: RefitRecord;
  /** Of the tuned model on training data. */
  readonly influence: InfluenceOutcome;
  /** For the written model, or else the first loss, on the same data as the figures; runs of older versions have none. */
  readonly curves?: RunCurves;
  /** Its misclassified samples, the most confident first. */
  readonly mistakes?: readonly WrongSample[];
}

/** What to do with an existing run in the folder: refuse, resume or replace it. */
export type RunMode = 'new' | 'resume' | 'replace';
