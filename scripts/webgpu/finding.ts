/** One thing that was computed on WebGPU. */
export interface Finding {
  readonly name: string;
  /** What is wrong; none where it was placed and computed as it should be. */
  readonly problem?: string;
}
