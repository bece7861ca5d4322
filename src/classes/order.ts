import { assign } from './assignment.ts';
import { type Evidence, type Half, joinHalves } from './evidence.ts';

/** Labels that do not seem to be the model's classes. */
export interface WrongOrder {
  /** How many samples were examined. */
  readonly samples: number;
  /** How often the model is right, and how often if it predicted at random with the same frequencies. */
  readonly accuracy: number;
  readonly chance: number;
  /** The model class that fits each label, and how often the model is then right. */
  readonly fitting: { readonly classOf: readonly number[]; readonly accuracy: number };
}

/** The chance of a false alarm if predictions and labels are unrelated. */
const ALARM = 1e-4;

/** The least gain, in nats, for which a class moves. */
const INERTIA = 5;

/**
 * Whether the order of the labels differs from that of the model's classes. There are two cases, both only for a confident model, which a
 * fresh head is not:
 *
 * - One order explains the samples: it is proposed by one half of them and judged on the other, there right far more often than the given
 * order,
 * and the model with it takes away a large part of what there is to guess (McFadden's pseudo-R² of the classes that move).
 * - The model is right far less often than chance, and gives the right classes less than half the probability that guessing gives.
 *
 * @returns `undefined` if nothing is wrong, or too little is known.
 */
export function findWrongOrder({ classes: n, halves }: Evidence): WrongOrder | undefined {
  const all = joinHalves(halves);
  const samples = samplesIn(all);
  if (all.size < 2) return undefined;
  const guess = new Map([...all].map(([label, sums]) => [label, -Math.log(sums.samples / samples)]));
  const identity = Array.from({ length: n }, (_, label) => label);
  const given = judge([all], [identity], guess);
  const chance = agreement(all, identity);
  const [first, second] = halves;
  const orders = [bestOrder(first, n), bestOrder(second, n)];
  const crossed = [second, first];
  const movedOnly = judge(crossed, orders, guess, true);
  const proposed = judge(crossed, orders, guess);
  const accuracy = given.right / samples;
  const isBelow =
    accuracy < chance / 2 &&
    tail(accuracy, chance, samples) < ALARM &&
    given.surprise > given.guess + samples * Math.LN2;
  const classOf = bestOrder(all, n);
  if (!knows(proposed, agreement(all, classOf)) || !(isBelow || explains(movedOnly))) return undefined;
  return { samples, accuracy, chance, fitting: { classOf, accuracy: judge([all], [classOf], guess).right / samples } };
}

function samplesIn(half: Half): number {
  return [...half.values()].reduce((sum, { samples }) => sum + samples, 0);
}

/** The accuracy of random predictions with the same class frequencies. */
function agreement(half: Half, classOf: readonly number[]): number {
  const picked = new Map<number, number>();
  for (const { picks } of half.values()) {
    for (const [k, count] of picks) picked.set(k, (picked.get(k) ?? 0) + count);
  }
  const shares = [...half].map(([label, { samples }]) => samples * (picked.get(classOf[label] ?? label) ?? 0));
  return shares.reduce((sum, share) => sum + share, 0) / samplesIn(half) ** 2;
}

/** Does a model distinguish the classes in the proposed order? By Cohen's κ and McFadden's pseudo-R². */
function knows({ labels, right, samples, surprise, guess }: OrderFit, chance: number): boolean {
  const kappa = (right / samples - chance) / (1 - chance);
  return (kappa >= 0.4 && 1 - surprise / guess >= 0.2) || (labels >= MANY && kappa >= 0.6);
}

interface OrderFit {
  /** Classes that have samples, and samples. */
  readonly labels: number;
  readonly samples: number;
  readonly right: number;
  /** Those that are right in the given order too: not both, if a class moves. */
  readonly rightAsGiven: number;
  /** −log p of the right class, by the model and by guessing class frequencies. */
  readonly surprise: number;
  readonly guess: number;
}

/** An untrained head does not happen to order this many classes, however unsure it is. */
const MANY = 8;

function explains({ labels, samples, right, rightAsGiven, surprise, guess }: OrderFit): boolean {
  const decided = right + rightAsGiven;
  if (samples === 0 || decided === 0 || rightAsGiven > right / 2) return false;
  // The fewer classes move, the likelier an untrained head has them in a wrong order by accident.
  const enough = 0.3 + 0.4 / labels;
  const isPlain = labels >= MANY && right / samples >= 0.65;
  return tail(rightAsGiven / decided, 0.5, decided) < ALARM && (isPlain || 1 - surprise / guess >= enough);
}

/** Each half with an order of classes, optionally only those that move. */
function judge(
  halves: readonly Half[],
  orders: readonly (readonly number[])[],
  guess: ReadonlyMap<number, number>,
  movedOnly = false,
): OrderFit {
  const sums = { samples: 0, right: 0, rightAsGiven: 0, surprise: 0, guess: 0 };
  const labels = new Set<number>();
  for (const [i, half] of halves.entries()) {
    for (const [label, { samples, picks, surprise }] of half) {
      const k = orders[i]?.[label] ?? label;
      if (movedOnly && k === label) continue;
      labels.add(label);
      sums.samples += samples;
      sums.right += picks.get(k) ?? 0;
      sums.rightAsGiven += picks.get(label) ?? 0;
      sums.surprise += surprise[k] ?? 0;
      sums.guess += samples * (guess.get(label) ?? 0);
    }
  }
  return { labels: labels.size, ...sums };
}

/**
 * The class of each label that maximizes the likelihood of the samples. A label without samples keeps its class, unless that fits another
 * label better by more than {@link INERTIA}; then it gets a remaining one.
 */
function bestOrder(half: Half, n: number): number[] {
  const labels = [...half.keys()];
  const inertia = new Float64Array(n).fill(INERTIA);
  for (const label of labels) inertia[label] = 0;
  const cost = [...half].map(([label, { surprise }]) => {
    const row = surprise.map((sum, k) => sum + (inertia[k] ?? 0));
    row[label] = (row[label] ?? 0) - INERTIA;
    return row;
  });
  const classOf = Array.from({ length: n }, (_, label) => label);
  const taken = new Set<number>();
  for (const [i, k] of assign(cost, n).entries()) {
    taken.add(k);
    classOf[labels[i] ?? 0] = k;
  }
  const left = labels.filter((label) => !taken.has(label));
  const displaced = [...taken].filter((k) => !half.has(k));
  for (const [i, label] of displaced.entries()) classOf[label] = left[i] ?? label;
  return classOf;
}

/** Chernoff's bound on the chance of a share this far below `expected` in this many samples. */
function tail(share: number, expected: number, samples: number): number {
  if (share >= expected) return 1;
  const part = (p: number, q: number): number => (p === 0 ? 0 : p * Math.log(p / q));
  return Math.exp(-samples * (part(share, expected) + part(1 - share, 1 - expected)));
}
