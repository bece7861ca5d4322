/** The losses in plain float64, written from the papers' formulas without a thought for speed. */
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
  readonly maxMargin?: number;
  readonly scale?: number;
  readonly tau?: number;
  readonly scalingGamma?: number;
  readonly smoothing?: number;
  readonly polyEpsilon?: number;
  /** Training samples of each class. */
  readonly counts?: readonly number[];
  /** The weights of all classes. */
  readonly weights?: readonly number[];
}

/** 1 − p_y as the sum of the other classes' shares, so that float64 keeps it where p_y rounds to 1. */
export function missOf({ logits, label }: Sample): number {
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

/** The logits whose cross-entropy the loss takes. */
export function changedLogits(name: string, { logits, label }: Sample, settings: Settings = {}): number[] {
  const { maxMargin = 0.5, scale = 30, tau = 1, scalingGamma = 0.3, counts = [] } = settings;
  const total = counts.reduce((sum, n) => sum + n, 0);
  const count = (k: number): number => counts[k] ?? Number.NaN;
  const margin = (k: number): number => maxMargin * (Math.min(...counts) / count(k)) ** 0.25;
  switch (name) {
    case 'ldam':
      return logits.map((z, k) => scale * (k === label ? z - margin(k) : z));
    case 'balanced-softmax':
      return logits.map((z, k) => z + Math.log(count(k)));
    case 'logit-adjustment':
      return logits.map((z, k) => z + tau * Math.log(count(k) / total));
    case 'vector-scaling':
      return logits.map(
        (z, k) => z * (count(k) / Math.max(...counts)) ** scalingGamma + tau * Math.log(count(k) / total),
      );
    default:
      return [...logits];
  }
}

function smoothed(sample: Sample, { smoothing = 0.1, weights }: Settings): number {
  const all = sample.logits.map((_, k) => (weights?.[k] ?? 1) * crossEntropyOf({ ...sample, label: k }));
  const shared = all.reduce((sum, value) => sum + value, 0) / all.length;
  return (1 - smoothing) * sample.weight * crossEntropyOf(sample) + smoothing * shared;
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
    case 'ldam':
    case 'balanced-softmax':
    case 'logit-adjustment':
    case 'vector-scaling':
      return sample.weight * crossEntropyOf({ ...sample, logits: changedLogits(name, sample, settings) });
    case 'label-smoothing':
      return smoothed(sample, settings);
    case 'poly1':
      return ce + sample.weight * (settings.polyEpsilon ?? 2) * missOf(sample);
    default:
      throw new Error(`no oracle for ${name}`);
  }
}
