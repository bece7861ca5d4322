import { type Random, random } from '../data/random.ts';
import { gamma } from './gamma.ts';
import { DRAWS, decide, type Found, type GateRequest, type GateVerdict, won } from './gate.ts';
import type { Labelled } from './labelled.ts';
import { LEAST_SAMPLES, meanOf } from './tally.ts';

/** Several labels of the same samples, predicted before and after training. */
export interface LabelGateRequest extends Pick<GateRequest, 'isSafe' | 'goal' | 'classNames' | 'seed' | 'draws'> {
  readonly before: Labelled;
  readonly after: Labelled;
}

/** Separates these draws from others with the same seed. */
const GATE = 17;

/**
 * Whether a trained model is better than the given one, by a smoothed paired bootstrap over samples. Each draw weights all samples by a
 * Dirichlet distribution, so that the labels of a sample stay together. Each label, both for the samples that have it and for the others,
 * gets half a pair won and half a pair lost. Labels that fewer than {@link LEAST_SAMPLES} samples have, or lack, are left out.
 */
export function labelGate(request: LabelGateRequest): GateVerdict {
  const { before, seed = 0, draws = DRAWS } = request;
  const counts = before.tally().totals;
  const told = [...counts.keys()].filter((k) => {
    const own = counts[k] ?? 0;
    return own >= LEAST_SAMPLES && before.size - own >= LEAST_SAMPLES;
  });
  const most = [...counts.keys()].reduce((best, k) => ((counts[k] ?? 0) > (counts[best] ?? 0) ? k : best), 0);
  // If nothing can be told, the label that comes nearest gives the reason.
  const rarest = told.reduce((least, k) => ((counts[k] ?? 0) < (counts[least] ?? 0) ? k : least), told[0] ?? most);
  const ones = new Float64Array(before.size).fill(1);
  const exact = differenceOf(request, told, ones, undefined);
  let [jointBetter, macroF1Better, balancedAccuracyBetter] = [0, 0, 0];
  for (let draw = 0; draw < draws; draw++) {
    const stream = random(seed, draw, GATE);
    const weights = ones.map(() => gamma(1, stream));
    const drawn = differenceOf(request, told, weights, stream);
    jointBetter += won(drawn.joint) / draws;
    macroF1Better += won(drawn.macroF1) / draws;
    balancedAccuracyBetter += won(drawn.balancedAccuracy) / draws;
  }
  const better = { jointBetter, macroF1Better, balancedAccuracyBetter };
  const found: Found = { ...exact, ...better, rarest: { class: rarest, samples: counts[rarest] ?? 0 } };
  const verdict = decide(told.length === 0 ? { ...found, rarest: { class: most, samples: 0 } } : found, request);
  const left = counts.length - told.length;
  const aside =
    told.length === 0 || left === 0 ? '' : ` (${left} of ${counts.length} labels have too few samples to judge by)`;
  return { ...found, ...verdict, why: `${verdict.why}${aside}` };
}

/** Sums for one label under one model: all samples, those that have it, those predicted as it, and both. */
interface Sums {
  own: number;
  chosen: number;
  both: number;
}

function differenceOf(
  { before, after }: LabelGateRequest,
  told: readonly number[],
  weights: Float64Array,
  smoothing: Random | undefined,
): Pick<GateVerdict, 'balancedAccuracy' | 'macroF1' | 'joint'> {
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  const models = [before, after].map((model) => sumsOf(model, weights));
  const scores = models.map((sums) => ({ sums, all: new Map(told.map((k) => [k, all])) }));
  if (smoothing) for (const k of told) smooth(scores, k, smoothing);
  const means = scores.map(({ sums, all: totals }) => {
    const each = told.map((k) => scoreOf(sums[k], totals.get(k) ?? all));
    return { balance: meanOf(each.map(({ balance }) => balance)) ?? 0, f1: meanOf(each.map(({ f1 }) => f1)) ?? 0 };
  });
  const balancedAccuracy = (means[1]?.balance ?? 0) - (means[0]?.balance ?? 0);
  const macroF1 = (means[1]?.f1 ?? 0) - (means[0]?.f1 ?? 0);
  return { balancedAccuracy, macroF1, joint: (balancedAccuracy + macroF1) / 2 };
}

function sumsOf(model: Labelled, weights: Float64Array): Sums[] {
  const { totals, predicted, hits } = model.tally(weights);
  return Array.from(totals, (own, k) => ({ own, chosen: predicted[k] ?? 0, both: hits[k] ?? 0 }));
}

interface Sheet {
  readonly sums: Sums[];
  readonly all: Map<number, number>;
}

/** Half a pair won and half a pair lost, for samples with and without the label. */
function smooth(sheets: readonly Sheet[], k: number, stream: Random): void {
  const [wonOwn, lostOwn, wonOther, lostOther] = [0, 0, 0, 0].map(() => gamma(0.5, stream));
  for (const [model, { sums, all }] of sheets.entries()) {
    const own = sums[k];
    if (own === undefined) continue;
    const isAfter = model === 1;
    const right = (isAfter ? wonOwn : lostOwn) ?? 0;
    const wrong = (isAfter ? lostOther : wonOther) ?? 0;
    own.own += (wonOwn ?? 0) + (lostOwn ?? 0);
    own.both += right;
    own.chosen += right + wrong;
    all.set(k, (all.get(k) ?? 0) + (wonOwn ?? 0) + (lostOwn ?? 0) + (wonOther ?? 0) + (lostOther ?? 0));
  }
}

function scoreOf(sums: Sums | undefined, all: number): { readonly balance: number; readonly f1: number } {
  const { own, chosen, both } = sums ?? { own: 0, chosen: 0, both: 0 };
  const others = all - own;
  return { balance: (both / own + (others - chosen + both) / others) / 2, f1: (2 * both) / (own + chosen) };
}
