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
  /** The tensor that the user named as the scores. */
  readonly logits: string | null;
}

/** Where a run is. All plain data: it is written as JSON beside the states. */
export interface Checkpoint {
  readonly version: string;
  /** What was requested of the run; a run that continues needs the same. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Which model is trained, and what its classes are called; `path` is `null` for bytes. */
  readonly model?: { readonly path: string | null; readonly names?: ClassNames };
  /** Index of the arm, epoch and step that come next. */
  readonly arm: number;
  readonly epoch: number;
  readonly step: number;
  /** Sum of losses and number of samples of the epoch so far. */
  readonly lossSum: number;
  readonly lossCount: number;
  /** Channels in a block of the graph's forms, `null` for plain ones; settled when the run begins. */
  readonly block?: number | null;
  /** The current state. */
  readonly file: string;
  /** The state at the switch from cross-entropy, from which every arm goes on. */
  readonly shared: string | null;
  readonly best: Best | null;
  /** Those of the arms that are done. */
  readonly bests: readonly Best[];
  /** Where arms ended, by their names. */
  readonly left?: Readonly<Record<string, ArmPlace>>;
  /** Calibrated alphas by arm. */
  readonly alphas: Readonly<Record<string, number>>;
  /** Where the training of an arm broke down, by its name: it was trained once more at {@link CUT} of the rate. */
  readonly cuts?: Readonly<Record<string, string>>;
  readonly history: readonly EpochRecord[];
  /** Set when all is done. */
  readonly outcome: Outcome | null;
}

/** Of the learning rate, where a loss was not finite. */
export const CUT = 0.1;

/** What to tell of arms that were trained once more. */
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

/** How a run ended. */
export interface Outcome {
  /** What is written back: names in the state of the first arm's best epoch. */
  readonly tuned: readonly string[];
  readonly untied: readonly Tie[];
  /** On the test data: the model as it was given, then each arm's best epoch. None without test data. */
  readonly tests: readonly DetailedMetrics[];
  /** The same on the validation data where there are no test data. */
  readonly validation: readonly DetailedMetrics[];
  /** Which of them is written, or why none is. */
  readonly decision: RunDecision;
  /** What is written, where its weights are those half-way, on the same data as the others. */
  readonly half: DetailedMetrics | null;
  /** Of the tuned model on training data. */
  readonly influence: InfluenceOutcome;
  /** Of the model that is written, or else of the first loss, on the same data as the figures; runs of older versions have none. */
  readonly curves?: RunCurves;
  /** The samples that it takes for another class, those of which it is surest first. */
  readonly mistakes?: readonly WrongSample[];
}

/** What is done with a run that is in the folder already: refused, gone on with, or replaced. */
export type RunMode = 'new' | 'resume' | 'replace';
