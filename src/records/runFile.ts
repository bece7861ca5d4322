import type { DataDigest } from '../data/digest.ts';

/** The options and inputs of a run, as in `run.json` in its folder: all plain data. */
export interface RunFile {
  /** Versions of lossgraft, the runtime, Node and the system. */
  readonly versions: Readonly<Record<string, string>>;
  /** When it began and when it was resumed, ISO 8601. */
  readonly begun: string;
  readonly resumed: readonly string[];
  /** The command line, for people; `null` for a program. */
  readonly command: string | null;
  /** The folder that relative paths start from. */
  readonly workingFolder: string;
  /** The folder of the run. */
  readonly folder: string;
  readonly model: { readonly path: string | null; readonly sha256: string };
  /** For `data`, `validation` and `test`; `null` for data made by a program. */
  readonly data: Readonly<Record<string, DataDigest | null>>;
  /** Every option by its key. */
  readonly options: Readonly<Record<string, RunOption>>;
  /** Values from a program that no file can hold. Empty: this file can repeat the run. */
  readonly notRepeatable: readonly string[];
}

export interface RunOption {
  readonly value: unknown;
  /** Its origin: `command line`, `default`, `method half`. */
  readonly from: string;
  /** lossgraft chose it, so a repeated run chooses it again. */
  readonly settled?: true;
}

/** A caller's additions to the record of a run. */
export interface RunOrigin {
  readonly command?: string;
  /** The origin of options, by key. Default `program`. */
  readonly from?: Readonly<Record<string, string>>;
  /** The caller's request, all plain data, in place of the options of `train`. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Rewrites the options in a text of the library in the caller's form, for the report. */
  readonly spell?: (text: string) => string;
  /** The record that this run repeats: differences are reported before the work. */
  readonly repeats?: RunFile;
}
