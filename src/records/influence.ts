/** How strongly training samples pull on the last layer of a model: Park et al., ICCV 2021, equation 5. */
export interface Influence {
  readonly alpha: number;
  readonly epsilon: number;
  /** How many samples were examined, and out of how many. */
  readonly samples: number;
  readonly of: number;
  /** Means by class; `null` for a class without samples. */
  readonly classes: readonly (ClassInfluence | null)[];
  /** The samples with the largest influence, in descending order. */
  readonly top: readonly SampleInfluence[];
}

/** g·H, g the L1 norm of the loss's gradient with respect to the logits, H that of the features; the factor is α / (g·H + ε). */
export interface Measured {
  readonly influence: number;
  readonly factor: number;
  /** The unweighted cross-entropy. */
  readonly loss: number;
}

export interface ClassInfluence extends Measured {
  readonly samples: number;
}

export interface SampleInfluence extends Measured {
  readonly row: number;
  /** The user's name for the row. */
  readonly where: string;
  readonly label: number;
  readonly predicted: number;
}

/** The measurement, or the reason why there is none. */
export type InfluenceOutcome = Influence | { readonly missing: string };
