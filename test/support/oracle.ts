/** The losses in plain float64, written from the formulas of Park et al. (ICCV 2021) without a thought for speed. */
export interface Sample {
  readonly logits: readonly number[];
  readonly label: number;
  /** Σ|h| */
  readonly norm: number;
  readonly weight: number;
}

export interface Settings {
  readonly alpha?: number;
  readonly epsilon?: number;
  readonly gamma?: number;
  readonly focalScale?: number;
}

/** 1 − p_y as the sum of the other classes' shares, so that float64 keeps it where p_y rounds to 1. */
function missOf({ logits, label }: Sample): number {
  const others = logits.filter((_, k) => k !== label).map((z) => z - (logits[label] ?? Number.NaN));
  const top = Math.max(0, ...others);
  const rest = others.reduce((sum, d) => sum + Math.exp(d - top), 0);
  return rest / (rest + Math.exp(-top));
}

function crossEntropyOf(sample: Sample): number {
  const { logits, label } = sample;
  const own = logits[label] ?? Number.NaN;
  const top = Math.max(...logits);
  if (own === top) return -Math.log1p(-missOf(sample));
  return top - own + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - top), 0));
}

/** IBLoss's factor. */
export function factorOf(sample: Sample, { alpha = 1000, epsilon = 1e-3 }: Settings = {}): number {
  return alpha / (2 * missOf(sample) * sample.norm + epsilon);
}

/** The loss of one sample by the loss's name. */
export function lossOf(name: string, sample: Sample, settings: Settings = {}): number {
  const { gamma = 1, focalScale = 10 } = settings;
  const ce = sample.weight * crossEntropyOf(sample);
  const focal = gamma === 0 ? ce : (-Math.expm1(-ce)) ** gamma * ce;
  switch (name) {
    case 'ce':
      return ce;
    case 'focal':
      return focalScale * focal;
    case 'ib':
      return ce * factorOf(sample, settings);
    case 'ib-focal':
      return focal * factorOf(sample, settings);
    default:
      throw new Error(`no oracle for ${name}`);
  }
}
