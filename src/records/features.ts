/** `auto`: if it pays; `on`: always, or an error says why not; `off`: never. */
export type CacheMode = 'auto' | 'on' | 'off';

/** Whether the frozen layers are computed once per training sample, and why. As plain data. */
export interface FeatureReport {
  readonly cached: boolean;
  readonly why: string;
  /** The cached tensors, by their names in the model. */
  readonly tensors: readonly string[];
  /** Operators before them. */
  readonly nodes: number;
  /** The samples whose tensors are cached: only those for validation if training data are augmented. */
  readonly rows: number;
  readonly bytes: number;
}
