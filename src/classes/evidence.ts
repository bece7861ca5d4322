/** A model's scores of labelled samples, in two halves of each class: one proposes an order of the classes, the other judges it. */
export interface Evidence {
  readonly classes: number;
  readonly halves: readonly [Half, Half];
  /** Adds a sample, by its logits or probabilities; samples with non-finite scores are ignored. */
  add(label: number, scores: ArrayLike<number>, start: number): void;
}

/** Sums over samples, by label; labels without samples are absent. */
export type Half = ReadonlyMap<number, LabelSums>;

/** Sums over the samples of one label. */
export interface LabelSums {
  readonly samples: number;
  /** How often a class has the highest score. */
  readonly picks: ReadonlyMap<number, number>;
  /** −log of each class's probability, blurred, [C]. */
  readonly surprise: Float64Array;
}

/** Labels times classes whose sums are kept: 32 MB in each half. */
const MAX_SUMS = 4_000_000;

/** At least this many labels are examined, however many classes there are. */
const MIN_LABELS = 16;

/** How many labels are examined for a model of that many classes: all, up to 2000 classes. */
export function orderedLabels(classes: number): number {
  return Math.min(classes, Math.max(MIN_LABELS, Math.floor(MAX_SUMS / classes)));
}

/** The note if not all labels are examined. */
export function orderNote(classes: number): string | undefined {
  const labels = orderedLabels(classes);
  if (labels === classes) return undefined;
  return (
    `The check of the class order looks at ${labels} of the ${classes} classes. It finds a wrong order of all classes, ` +
    'but not one that only concerns the others'
  );
}

/** The share of every probability that is spread over all classes, so that one overconfident mistake does not outweigh everything else. */
const BLUR = 0.05;

interface OpenSums extends LabelSums {
  samples: number;
  readonly picks: Map<number, number>;
}

/** Evidence of the first {@link orderedLabels} labels that come. */
export function gatherEvidence(classes: number): Evidence {
  const most = orderedLabels(classes);
  const halves = [new Map<number, OpenSums>(), new Map<number, OpenSums>()] as const;
  const seen = new Map<number, number>();
  const odds = new Float64Array(classes);
  const add: Evidence['add'] = (label, scores, start) => {
    const count = seen.get(label) ?? 0;
    if (count === 0 && seen.size === most) return;
    const best = oddsOf(scores, start, odds);
    const sum = odds.reduce((total, one) => total + one, 0);
    if (!Number.isFinite(sum) || sum === 0) return;
    seen.set(label, count + 1);
    const sums = sumsOf(halves[count % 2 === 0 ? 0 : 1], label, classes);
    sums.samples++;
    sums.picks.set(best, (sums.picks.get(best) ?? 0) + 1);
    for (let k = 0; k < classes; k++) {
      const probability = (1 - BLUR) * ((odds[k] ?? 0) / sum) + BLUR / classes;
      sums.surprise[k] = (sums.surprise[k] ?? 0) - Math.log(probability);
    }
  };
  return { classes, halves, add };
}

function sumsOf(half: Map<number, OpenSums>, label: number, classes: number): OpenSums {
  const known = half.get(label);
  if (known) return known;
  const sums = { samples: 0, picks: new Map<number, number>(), surprise: new Float64Array(classes) };
  half.set(label, sums);
  return sums;
}

/** Both halves together. */
export function joinHalves([first, second]: Evidence['halves']): Half {
  const labels = new Set([...first.keys(), ...second.keys()]);
  return new Map(
    [...labels]
      .sort((a, b) => a - b)
      .flatMap((label) => {
        const sums = [first.get(label), second.get(label)].filter((half) => half !== undefined);
        const [one, other] = sums;
        return one ? [[label, other ? added(one, other) : one]] : [];
      }),
  );
}

function added(a: LabelSums, b: LabelSums): LabelSums {
  const picks = new Map(a.picks);
  for (const [k, count] of b.picks) picks.set(k, (picks.get(k) ?? 0) + count);
  const surprise = a.surprise.slice();
  for (const [k, sum] of b.surprise.entries()) surprise[k] = (surprise[k] ?? 0) + sum;
  return { samples: a.samples + b.samples, picks, surprise };
}
/** Writes the odds of the classes, whatever their sum. @returns the class with the highest. */
function oddsOf(scores: ArrayLike<number>, start: number, odds: Float64Array): number {
  let best = 0;
  let sum = 0;
  let areProbabilities = true;
  for (let k = 0; k < odds.length; k++) {
    const score = scores[start + k] ?? 0;
    if (score > (scores[start + best] ?? 0)) best = k;
    sum += score;
    areProbabilities &&= score >= 0;
  }
  areProbabilities &&= Math.abs(sum - 1) < 1e-3;
  const top = scores[start + best] ?? 0;
  for (let k = 0; k < odds.length; k++) {
    const score = scores[start + k] ?? 0;
    odds[k] = areProbabilities ? score : Math.exp(score - top);
  }
  return best;
}
