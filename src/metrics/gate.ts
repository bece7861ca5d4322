import { type Random, random } from '../data/random.ts';
import { gamma } from './gamma.ts';
import { LEAST_SAMPLES } from './tally.ts';

/** Predicted classes of the same samples before and after training. */
export interface GateRequest {
  /** True classes, 0 to `classes` − 1. */
  readonly labels: ArrayLike<number>;
  readonly before: ArrayLike<number>;
  readonly after: ArrayLike<number>;
  readonly classes: number;
  /** Training samples of each class: a class without any, and without samples here, is ignored. */
  readonly trainCounts?: readonly number[];
  /** For the sentence. */
  readonly classNames?: readonly string[];
  /** Whether measurements showed that this kind of training harms no model: then it needs no proof, only no sign of harm. */
  readonly isSafe: boolean;
  /** The metric that must not fall beside the mean. Default `macro-f1`; with `balanced-accuracy` only that counts. */
  readonly goal?: 'macro-f1' | 'balanced-accuracy';
  readonly seed?: number;
  readonly draws?: number;
}

/** `take` the trained model, `keep` the given one, or `untold`: there are too few samples to tell, and the caller decides. */
export type Decision = 'take' | 'keep' | 'untold';

export interface GateVerdict {
  readonly decision: Decision;
  /** One sentence for people, without a full stop. */
  readonly why: string;
  /** After minus before, on these samples. */
  readonly balancedAccuracy: number;
  readonly macroF1: number;
  /** The mean of the two, which decides whether a model is better. */
  readonly joint: number;
  /** How likely the mean, and macro-F1 alone, have improved: shares of the draws. */
  readonly jointBetter: number;
  readonly macroF1Better: number;
  readonly balancedAccuracyBetter: number;
  readonly rarest: { readonly class: number; readonly samples: number };
}

/** A safe recipe is refused if either is less likely than this to have improved. */
export const HARMED = 0.2;
/**
 * The same for a class with too few samples: losing one or two says less than all the models that the recipe did not harm. Losing three of
 * one class (0.04), or two each of two classes (0.02), says more.
 */
export const SURELY_HARMED = 0.05;
/** Anything else is taken if the mean is at least this likely to have improved, and macro-F1 has not fallen. */
export const PROVED = 0.8;
export const DRAWS = 300;
/** Separates these draws from others with the same seed. */
const GATE = 11;

/**
 * Whether a trained model is better than the given one, by a smoothed paired bootstrap. For each class, the shares of the pairs (class
 * predicted before, after) are drawn from a Dirichlet distribution whose parameters are the counts of the pairs, plus half a pair won and
 * half a pair lost. So one lucky sample of a rare class proves nothing. A class keeps its share of the samples. The wrong predictions of
 * half pairs are spread over the other classes by their samples.
 */
export function gate(request: GateRequest): GateVerdict {
  const { classes, seed = 0, draws = DRAWS } = request;
  const groups = groupsOf(request);
  const counts = groups.map(({ samples }) => samples);
  const asked = counts.flatMap((samples, k) => (samples > 0 || (request.trainCounts?.[k] ?? 1) > 0 ? [k] : []));
  const rarest = asked.reduce((least, k) => ((counts[k] ?? 0) < (counts[least] ?? 0) ? k : least), asked[0] ?? 0);
  const exact = differenceOf(groups, classes, (pairs) => pairs.map(({ count }) => count));
  let [jointBetter, macroF1Better, balancedAccuracyBetter] = [0, 0, 0];
  for (let draw = 0; draw < draws; draw++) {
    const stream = random(seed, draw, GATE);
    const drawn = differenceOf(groups.map(smoothed(counts)), classes, (pairs) => dirichlet(pairs, stream));
    jointBetter += won(drawn.joint) / draws;
    macroF1Better += won(drawn.macroF1) / draws;
    balancedAccuracyBetter += won(drawn.balancedAccuracy) / draws;
  }
  const better = { jointBetter, macroF1Better, balancedAccuracyBetter };
  const found = { ...exact, ...better, rarest: { class: rarest, samples: counts[rarest] ?? 0 } };
  return { ...found, ...decide(found, request) };
}

/** The decision that the figures lead to. */
export function decide(
  found: Found,
  { isSafe, goal = 'macro-f1', classNames }: Pick<GateRequest, 'isSafe' | 'goal' | 'classNames'>,
): Pick<GateVerdict, 'decision' | 'why'> {
  const { rarest, jointBetter, macroF1Better, balancedAccuracyBetter, macroF1 } = found;
  const points = goal === 'macro-f1' ? describeJoint(found) : describeRecall(found);
  if (rarest.samples < LEAST_SAMPLES) {
    const few = ['no sample', 'only 1 sample'][rarest.samples] ?? `only ${rarest.samples} samples`;
    return {
      decision: 'untold',
      why: `${points}; class ${classNames?.[rarest.class] ?? rarest.class} has ${few}, too few to tell (${LEAST_SAMPLES} are needed)`,
    };
  }
  const [proved, least] =
    goal === 'macro-f1'
      ? [jointBetter, Math.min(jointBetter, macroF1Better)]
      : [balancedAccuracyBetter, balancedAccuracyBetter];
  if (isSafe && least < HARMED) return { decision: 'keep', why: points };
  if (isSafe) return { decision: 'take', why: gainOf(goal, found) < 0 ? `${points}; ${BY_CHANCE}` : points };
  if (proved < PROVED) return { decision: 'keep', why: `${points}, and ${percent(PROVED)} % are asked for` };
  if (goal === 'macro-f1' && macroF1 < 0)
    return { decision: 'keep', why: `macro-F1 fell by ${percent(-macroF1)} points; ${points}` };
  return { decision: 'take', why: points };
}

const BY_CHANCE = 'so few samples may show such a fall by chance';

/** The change of the figure that the goal looks at. */
export function gainOf(goal: NonNullable<GateRequest['goal']>, { joint, balancedAccuracy }: Found): number {
  return goal === 'macro-f1' ? joint : balancedAccuracy;
}

/** Whether the evidence, even if weak, points to harm by a safe recipe. */
export function isHarmed({ jointBetter, macroF1Better, rarest }: GateVerdict): boolean {
  return Math.min(jointBetter, macroF1Better) < (rarest.samples < LEAST_SAMPLES ? SURELY_HARMED : HARMED);
}

/** What the bootstrap found. */
export type Found = Omit<GateVerdict, 'decision' | 'why'>;

function describeJoint({ joint, jointBetter, macroF1Better }: Found): string {
  const shares = `better with a probability of ${percent(jointBetter)} % (macro-F1 alone ${percent(macroF1Better)} %)`;
  return `the mean of balanced accuracy and macro-F1 changed by ${signed(joint)} points, ${shares}`;
}

function describeRecall({ balancedAccuracy, balancedAccuracyBetter }: Found): string {
  const share = percent(balancedAccuracyBetter);
  return `balanced accuracy changed by ${signed(balancedAccuracy)} points, better with a probability of ${share} %`;
}

const percent = (share: number): string => (100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0);
const signed = (share: number): string => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)}`;
export const won = (difference: number): number => (difference > 0 ? 1 : difference === 0 ? 0.5 : 0);

/** How many samples of a class went from one prediction to another. */
interface Pair {
  readonly before: Predicted;
  readonly after: Predicted;
  readonly count: number;
}

/** A class, or shares of the classes that sum to 1. */
type Predicted = number | readonly number[];

interface Group {
  readonly label: number;
  readonly samples: number;
  readonly pairs: readonly Pair[];
}

function groupsOf({ labels, before, after, classes }: GateRequest): Group[] {
  if (labels.length !== before.length || labels.length !== after.length)
    throw new RangeError(`${labels.length} labels, ${before.length} and ${after.length} predictions`);
  const pairs = Array.from({ length: classes }, () => new Map<number, number>());
  for (let row = 0; row < labels.length; row++) {
    const own = pairs[labels[row] ?? -1];
    if (own === undefined) throw new RangeError(`a label from 0 to ${classes - 1} expected, ${labels[row]} found`);
    const key = (before[row] ?? 0) * classes + (after[row] ?? 0);
    own.set(key, (own.get(key) ?? 0) + 1);
  }
  return pairs.map((own, label) => ({
    label,
    samples: [...own.values()].reduce((sum, n) => sum + n, 0),
    pairs: [...own].map(([key, count]) => ({ before: Math.floor(key / classes), after: key % classes, count })),
  }));
}

/** Half a pair won and half a pair lost. */
function smoothed(counts: readonly number[]): (group: Group) => Group {
  const all = counts.reduce((sum, n) => sum + n, 0);
  return (group) => {
    const { label, samples, pairs } = group;
    if (samples === 0 || samples === all) return group;
    const others = counts.map((n, k) => (k === label ? 0 : n / (all - samples)));
    const half = [
      { before: others, after: label, count: 0.5 },
      { before: label, after: others, count: 0.5 },
    ];
    return { label, samples, pairs: [...pairs, ...half] };
  };
}

/** A draw of the pairs' weights, up to their scale. */
function dirichlet(pairs: readonly Pair[], stream: Random): number[] {
  return pairs.map(({ count }) => gamma(count, stream));
}

function differenceOf(
  groups: readonly Group[],
  classes: number,
  weigh: (pairs: readonly Pair[]) => readonly number[],
): Pick<GateVerdict, 'balancedAccuracy' | 'macroF1' | 'joint'> {
  const [a, b] = [sheet(classes), sheet(classes)];
  for (const { label, samples, pairs } of groups) {
    const weights = weigh(pairs);
    const scale = samples / weights.reduce((sum, weight) => sum + weight, 0);
    for (const [i, { before, after }] of pairs.entries()) {
      const weight = (weights[i] ?? 0) * scale;
      enter(a, label, before, weight);
      enter(b, label, after, weight);
    }
  }
  const present = groups.flatMap(({ label, samples }) => (samples > 0 ? [label] : []));
  const named = groups.flatMap(({ label, samples }) =>
    samples > 0 || (a.predicted[label] ?? 0) > 0 || (b.predicted[label] ?? 0) > 0 ? [label] : [],
  );
  const recall = ({ hits }: Sheet): number => meanBy(present, (k) => (hits[k] ?? 0) / (groups[k]?.samples ?? 1));
  const f1 = ({ hits, predicted }: Sheet): number =>
    meanBy(named, (k) => (2 * (hits[k] ?? 0)) / ((groups[k]?.samples ?? 0) + (predicted[k] ?? 0) || 1));
  const [balancedAccuracy, macroF1] = [recall(b) - recall(a), f1(b) - f1(a)];
  return { balancedAccuracy, macroF1, joint: (balancedAccuracy + macroF1) / 2 };
}

interface Sheet {
  readonly hits: Float64Array;
  readonly predicted: Float64Array;
}

const sheet = (classes: number): Sheet => ({ hits: new Float64Array(classes), predicted: new Float64Array(classes) });

function enter({ hits, predicted }: Sheet, label: number, as: Predicted, weight: number): void {
  if (typeof as !== 'number') {
    for (const [k, share] of as.entries()) predicted[k] = (predicted[k] ?? 0) + share * weight;
    return;
  }
  predicted[as] = (predicted[as] ?? 0) + weight;
  if (as === label) hits[as] = (hits[as] ?? 0) + weight;
}

function meanBy(classes: readonly number[], value: (k: number) => number): number {
  return classes.reduce((sum, k) => sum + value(k), 0) / classes.length;
}
