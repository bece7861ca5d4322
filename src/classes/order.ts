import { assign } from './assignment.ts';
import type { Evidence, Half } from './evidence.ts';

/** Labels that do not seem to be the model's classes. */
export interface WrongOrder {
  /** How many samples were looked at. */
  readonly samples: number;
  /** How often the model is right as it is, and how often if it guessed as it does without looking. */
  readonly accuracy: number;
  readonly chance: number;
  /** The class of the model that fits each label, and how often the model is right then. */
  readonly fitting: { readonly classOf: readonly number[]; readonly accuracy: number };
}

/** The chance of an alarm where predictions have nothing to do with labels. */
const ALARM = 1e-4;

/** What a class that moves has to gain, in nats: others stay. */
const INERTIA = 5;

/**
 * Whether the labels' order is another one than that of the model's classes. Two cases, both only for a model that is sure of what it says, as
 * a fresh head is not:
 *
 * - One order explains the samples: it is proposed by one half of them and judged on the other, there right far more often than the given order,
 *   and the model with it takes away a large part of what there is to guess (McFadden's pseudo-R² of the classes that move).
 * - The model is right far less often than by chance, and gives the right classes less than half the probability that guessing gives.
 *
 * @returns `undefined` where nothing is wrong, or too little is known.
 */
export function findWrongOrder(evidence: Evidence): WrongOrder | undefined {
  const { classes: n, halves } = evidence;
  const all = joined(halves);
  const counts = Array.from({ length: n }, (_, label) => sumOfRow(all.picks, label, n));
  const samples = counts.reduce((sum, count) => sum + count, 0);
  if (counts.filter((count) => count > 0).length < 2) return undefined;
  const guess = counts.map((count) => -Math.log(Math.max(count, 1) / samples));
  const identity = Array.from({ length: n }, (_, label) => label);
  const given = judge([all], [identity], guess);
  const chance = counts.reduce(
    (sum, count, k) => sum + (count / samples) * (sumOfColumn(all.picks, k, n) / samples),
    0,
  );
  const orders = halves.map((half) => bestOrder(half, n));
  const [first = identity, second = identity] = orders;
  const crossed = [halves[1], halves[0]];
  const movedOnly = judge(crossed, [first, second], guess, true);
  const proposed = judge(crossed, [first, second], guess);
  const accuracy = given.right / samples;
  const isBelow =
    accuracy < chance / 2 &&
    tail(accuracy, chance, samples) < ALARM &&
    given.surprise > given.guess + samples * Math.LN2;
  const classOf = bestOrder(all, n);
  if (!knows(proposed, agreement(all, classOf)) || !(isBelow || explains(movedOnly))) return undefined;
  return { samples, accuracy, chance, fitting: { classOf, accuracy: judge([all], [classOf], guess).right / samples } };
}

/** How often a model would be right that says what it says as often, but without looking. */
function agreement({ picks }: Half, classOf: readonly number[]): number {
  const n = classOf.length;
  const samples = picks.reduce((sum, count) => sum + count, 0);
  const shares = classOf.map((k, label) => sumOfRow(picks, label, n) * sumOfColumn(picks, k, n));
  return shares.reduce((sum, share) => sum + share, 0) / samples ** 2;
}

/** Does a model tell the classes apart, in the order that is proposed? By Cohen's κ, and by McFadden's pseudo-R². */
function knows({ labels, right, samples, surprise, guess }: Judged, chance: number): boolean {
  const kappa = (right / samples - chance) / (1 - chance);
  return (kappa >= 0.4 && 1 - surprise / guess >= 0.2) || (labels >= MANY && kappa >= 0.6);
}

interface Judged {
  /** Classes that have samples, and samples. */
  readonly labels: number;
  readonly samples: number;
  readonly right: number;
  /** Of these, right in the given order too: not both, where a class moves. */
  readonly rightAsGiven: number;
  /** −log p of the right class, and as guessing by frequency has it. */
  readonly surprise: number;
  readonly guess: number;
}

/** So many classes are not put into one order of theirs each by a head that was never trained, however little sure it is. */
const MANY = 8;

function explains({ labels, samples, right, rightAsGiven, surprise, guess }: Judged): boolean {
  const decided = right + rightAsGiven;
  if (samples === 0 || decided === 0 || rightAsGiven > right / 2) return false;
  // The fewer classes move, the sooner a head that was never trained puts them in a wrong order by accident.
  const enough = 0.3 + 0.4 / labels;
  const isPlain = labels >= MANY && right / samples >= 0.65;
  return tail(rightAsGiven / decided, 0.5, decided) < ALARM && (isPlain || 1 - surprise / guess >= enough);
}

/** Each half with an order of classes; of those that move alone, if so wanted. */
function judge(
  halves: readonly Half[],
  orders: readonly (readonly number[])[],
  guess: readonly number[],
  movedOnly = false,
): Judged {
  const n = guess.length;
  const sums = { samples: 0, right: 0, rightAsGiven: 0, surprise: 0, guess: 0 };
  const labels = new Set<number>();
  for (const [i, { picks, surprise }] of halves.entries()) {
    for (const [label, k] of (orders[i] ?? []).entries()) {
      const samples = sumOfRow(picks, label, n);
      if (samples === 0 || (movedOnly && k === label)) continue;
      labels.add(label);
      sums.samples += samples;
      sums.right += picks[label * n + k] ?? 0;
      sums.rightAsGiven += picks[label * n + label] ?? 0;
      sums.surprise += surprise[label * n + k] ?? 0;
      sums.guess += samples * (guess[label] ?? 0);
    }
  }
  return { labels: labels.size, ...sums };
}

/** The class of each label that makes the samples most likely. */
function bestOrder({ surprise }: Half, n: number): number[] {
  const cost = Float64Array.from(surprise, (sum, at) => (at % (n + 1) === 0 ? sum - INERTIA : sum));
  return [...assign(cost, n)];
}

/** Chernoff's bound on the chance of a share so far below `expected` in so many samples. */
function tail(share: number, expected: number, samples: number): number {
  if (share >= expected) return 1;
  const part = (p: number, q: number): number => (p === 0 ? 0 : p * Math.log(p / q));
  return Math.exp(-samples * (part(share, expected) + part(1 - share, 1 - expected)));
}

function joined([a, b]: readonly [Half, Half]): Half {
  const add = (x: Float64Array, y: Float64Array): Float64Array => x.map((value, i) => value + (y[i] ?? 0));
  return { picks: add(a.picks, b.picks), surprise: add(a.surprise, b.surprise) };
}

function sumOfRow(matrix: Float64Array, row: number, n: number): number {
  return matrix.subarray(row * n, (row + 1) * n).reduce((sum, value) => sum + value, 0);
}

function sumOfColumn(matrix: Float64Array, column: number, n: number): number {
  let sum = 0;
  for (let row = 0; row < n; row++) sum += matrix[row * n + column] ?? 0;
  return sum;
}
