/** How mixed precision in float16 goes. */
export interface Scaling {
  /** Steps of this loss that were not taken so far, since a gradient had left the range of float16. */
  readonly skippedSteps: number;
  /** What the loss is multiplied by before the backward pass. */
  readonly lossScale: number;
}
