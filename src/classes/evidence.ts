/** What a model thinks of labelled samples, in two halves of each class: one proposes an order of the classes, the other judges it. */
export interface Evidence {
  readonly classes: number;
  readonly halves: readonly [Half, Half];
  /** Adds a sample, by its scores before the softmax or its probabilities; one whose scores are not finite counts for nothing. */
  add(label: number, scores: ArrayLike<number>, start: number): void;
}

/** Sums over samples, [label, class] row by row. */
export interface Half {
  /** How often the class has the highest score. */
  readonly picks: Float64Array;
  /** −log of the class's probability, blurred. */
  readonly surprise: Float64Array;
}

/** Above it the matrices take hundreds of megabytes. */
export const MAX_ORDERED = 1000;

/** The share of every probability that goes to all classes alike, so that one mistake of a model that is too sure does not outweigh all else. */
const BLUR = 0.05;

export function gatherEvidence(classes: number): Evidence {
  const half = (): Half => ({
    picks: new Float64Array(classes * classes),
    surprise: new Float64Array(classes * classes),
  });
  const halves = [half(), half()] as const;
  const seen = new Uint32Array(classes);
  const odds = new Float64Array(classes);
  const add: Evidence['add'] = (label, scores, start) => {
    const best = oddsOf(scores, start, odds);
    const sum = odds.reduce((total, one) => total + one, 0);
    if (!Number.isFinite(sum) || sum === 0) return;
    const count = seen[label] ?? 0;
    seen[label] = count + 1;
    const { picks, surprise } = halves[count % 2 === 0 ? 0 : 1];
    picks[label * classes + best] = (picks[label * classes + best] ?? 0) + 1;
    for (let k = 0; k < classes; k++) {
      const probability = (1 - BLUR) * ((odds[k] ?? 0) / sum) + BLUR / classes;
      surprise[label * classes + k] = (surprise[label * classes + k] ?? 0) - Math.log(probability);
    }
  };
  return { classes, halves, add };
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
