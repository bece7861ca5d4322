import type { RunCurves, WrongSample } from '../records/curves.ts';
import type { RunDecision } from '../records/decision.ts';
import type { EpochRecord } from '../records/epoch.ts';
import type { InfluenceOutcome, SampleInfluence } from '../records/influence.ts';
import type { DetailedMetrics, Metrics } from '../records/metrics.ts';
import type { RefitRecord } from '../records/run.ts';
import type { Schedule } from '../records/schedule.ts';

/** The content of a run's page: all plain data, as the run recorded them. */
export interface Report {
  /** The model's file. */
  readonly model: string;
  /** `false`: it was interrupted, and the figures belong to the best epochs so far. */
  readonly isDone: boolean;
  /** It is in progress: the page is viewed during training. */
  readonly isRunning: boolean;
  /** The error that ended it, if any. */
  readonly error: string | null;
  /** The data on which {@link before} and the arms were judged. */
  readonly judgedOn: 'test' | 'validation' | 'out-of-fold';
  /** The given model. */
  readonly before: Metrics | DetailedMetrics | null;
  /** The first requested loss. */
  readonly arms: readonly ReportArm[];
  readonly history: readonly EpochRecord[];
  readonly schedule: Schedule;
  readonly classes: readonly ReportClass[];
  readonly sizes: { readonly train: number; readonly validation: number; readonly test: number | null };
  /** For training samples on the tuned model. */
  readonly influence: InfluenceOutcome | null;
  /** Those with the largest influence. */
  readonly samples: readonly ReportSample[];
  /** The outcome of the run; `null` if it is not done. */
  readonly decision: RunDecision | null;
  /** Figures of the halfway weights, if they are written. */
  readonly half: DetailedMetrics | null;
  /** What is written instead if the chosen training was repeated on all samples. */
  readonly refit: RefitRecord | null;
  /** For the written model, or else the first loss. */
  readonly curves: RunCurves | null;
  /** That model's misclassified samples, the most confident first. */
  readonly mistakes: readonly ReportMistake[];
  /** The origin of the run; `null` if it left no record. */
  readonly origin: ReportOrigin | null;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}

export interface ReportArm {
  readonly name: string;
  readonly isBaseline: boolean;
  /** The epoch shown; `null`, like the metrics, if there is none yet. */
  readonly epoch: number | null;
  /** In detail if the run is done. */
  readonly metrics: Metrics | DetailedMetrics | null;
  /** The value of `alpha: 'auto'`. */
  readonly alpha: number | null;
}

export interface ReportClass {
  readonly name: string;
  /** Training samples. */
  readonly count: number;
}

export interface ReportSample extends SampleInfluence {
  readonly preview: Preview;
}

export interface ReportOrigin {
  /** The command line; `null` for a program. */
  readonly command: string | null;
  /** Where relative paths start. */
  readonly workingFolder: string;
  /** The record that repeats the run; `null` if a program passed what no file can hold. */
  readonly repeat: string | null;
}

export interface ReportMistake extends WrongSample {
  readonly preview: Preview;
}

/** A preview of a sample. */
export type Preview =
  | { readonly kind: 'image'; readonly uri: string; readonly width: number; readonly height: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'cells'; readonly cells: readonly PreviewCell[]; readonly left: number };

/** A cell of a table, the rarest values first. */
export interface PreviewCell {
  readonly column: string;
  readonly value: string;
  /** The range of nine in ten training samples, if this one lies outside. */
  readonly usual: string | null;
}
