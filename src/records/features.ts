/** `auto`: where it is worth it; `on`: else an error says why not; `off`: never. */
export type CacheMode = 'auto' | 'on' | 'off';

/** Whether the frozen layers are computed once for each training sample, and why. As plain data. */
export interface FeatureReport {
  readonly cached: boolean;
  readonly why: string;
  /** The tensors that are kept, by the names that they have in the model. */
  readonly tensors: readonly string[];
  /** Operators before them. */
  readonly nodes: number;
  /** Of which they are kept: where training data are augmented, those of validation. */
  readonly rows: number;
  readonly bytes: number;
}
