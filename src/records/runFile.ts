/** What was requested of a run and what it was given, as `run.json` in its folder says it: all plain data. */
export interface RunFile {
  /** Of lossgraft, the runtime, Node and the system. */
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
  /** Of `data`, `validation` and `test`; `null` for data that a program made. */
  readonly data: Readonly<Record<string, DataDigest | null>>;
  /** Every option by its key. */
  readonly options: Readonly<Record<string, RunOption>>;
  /** What a program gave and no file can hold. Empty: the run can be repeated from this file. */
  readonly notRepeatable: readonly string[];
}

export interface RunOption {
  readonly value: unknown;
  /** Who gave it, or what settled it: `command line`, `default`, `method half`. */
  readonly from: string;
  /** lossgraft settled it, so a repeated run settles it again. */
  readonly settled?: true;
}

/** What tells data from others. */
export interface DataDigest {
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  /** Of one file its SHA-256; of several that of a list in the form of `sha256sum`, or of their sizes where they are large. */
  readonly sha256: string;
  readonly of: 'contents' | 'names and sizes';
}

/** What a caller adds to the record of a run. */
export interface RunOrigin {
  readonly command?: string;
  /** Where options come from, by their keys. Default `program`. */
  readonly from?: Readonly<Record<string, string>>;
  /** What the caller requested, all plain data, in place of the options of `train`. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** A text of the library with the options that it names in the caller's words, for the report. */
  readonly spell?: (text: string) => string;
  /** The record that this run repeats: what differs is told before the work. */
  readonly repeats?: RunFile;
}
