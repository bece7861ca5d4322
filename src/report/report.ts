import type { RunCurves, WrongSample } from '../records/curves.ts';
import type { RunDecision } from '../records/decision.ts';
import type { EpochRecord } from '../records/epoch.ts';
import type { InfluenceOutcome, SampleInfluence } from '../records/influence.ts';
import type { DetailedMetrics, Metrics } from '../records/metrics.ts';
import type { Schedule } from '../records/schedule.ts';

/** What a run's page shows: all plain data, as the run recorded them. */
export interface Report {
  /** The model's file. */
  readonly model: string;
  /** `false`: it was interrupted, and figures are those of the best epochs so far. */
  readonly isDone: boolean;
  /** It goes on: the page is looked at while it trains. */
  readonly isRunning: boolean;
  /** What ended it, where that was an error. */
  readonly error: string | null;
  /** On which data {@link before} and the arms were judged. */
  readonly judgedOn: 'test' | 'validation' | 'out-of-fold';
  /** The given model. */
  readonly before: Metrics | DetailedMetrics | null;
  /** The loss that was requested first. */
  readonly arms: readonly ReportArm[];
  readonly history: readonly EpochRecord[];
  readonly schedule: Schedule;
  readonly classes: readonly ReportClass[];
  readonly sizes: { readonly train: number; readonly validation: number; readonly test: number | null };
  /** Of training samples on the tuned model. */
  readonly influence: InfluenceOutcome | null;
  /** Those with the largest influence. */
  readonly samples: readonly ReportSample[];
  /** What the run came to; `null` where it is not done. */
  readonly decision: RunDecision | null;
  /** Figures of the weights half-way, where these are written. */
  readonly half: DetailedMetrics | null;
  /** Of the model that is written, or else of the first loss. */
  readonly curves: RunCurves | null;
  /** What that model takes for another class, those of which it is surest first. */
  readonly mistakes: readonly ReportMistake[];
  /** How the run came about; `null` where it left no record. */
  readonly origin: ReportOrigin | null;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly notes: readonly string[];
}

export interface ReportArm {
  readonly name: string;
  readonly isBaseline: boolean;
  /** The epoch that is shown; `null` where there is none yet, as are the metrics. */
  readonly epoch: number | null;
  /** In detail where the run is done. */
  readonly metrics: Metrics | DetailedMetrics | null;
  /** What `alpha: 'auto'` came to. */
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
  /** The record that repeats the run; `null` where a program gave what no file can hold. */
  readonly repeat: string | null;
}

export interface ReportMistake extends WrongSample {
  readonly preview: Preview;
}

/** What a sample looks like. */
export type Preview =
  | { readonly kind: 'image'; readonly uri: string; readonly width: number; readonly height: number }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'cells'; readonly cells: readonly PreviewCell[]; readonly left: number };

/** A cell of a table, those first that few training samples have. */
export interface PreviewCell {
  readonly column: string;
  readonly value: string;
  /** The values between which nine of ten training samples lie, where this one does not. */
  readonly usual: string | null;
}
