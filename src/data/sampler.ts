import { permutation, random, shuffle } from './random.ts';
import type { Part } from './samples.ts';
import { rowsByClass } from './split.ts';

/**
 * How often an epoch draws a class: by its frequency (`instance`), by the square root of it (`sqrt`), or as often as any other
 * (`balanced`). If samples may have several labels, a draw takes one of the samples that have the label, as
 * class-aware sampling does (Shen et al., ECCV 2016), and samples without labels form one class more.
 */
export type Sampler = 'instance' | 'sqrt' | 'balanced';

const POWER: Readonly<Record<Sampler, number>> = { instance: 1, sqrt: 0.5, balanced: 0 };

/** Separates these random streams from others with the same seed. */
const [SHUFFLE, OF_CLASS, ALL] = [1, 12, 13];

/** The order in which an epoch, counted from 0, takes the training rows: a function of its arguments alone. */
export function epochOrder(rows: Uint32Array, seed: number, epoch: number): Uint32Array {
  return permutation(rows.length, seed, epoch, SHUFFLE).map((i) => rows[i] ?? 0);
}

/** As many rows as there are, by a sampler; within a class none comes once more before all others have come. */
export function sampledOrder(
  { samples, rows }: Drawn,
  sampler: Sampler,
  { seed, epoch }: { readonly seed: number; readonly epoch: number },
): Uint32Array {
  if (sampler === 'instance') return epochOrder(rows, seed, epoch);
  const classes = membersOf({ samples, rows });
  const shares = classes.map(([, own]) => own.length ** POWER[sampler]);
  const counts = apportion(rows.length, shares);
  const drawn = classes.flatMap(([label, own], i) => {
    const order = permutation(own.length, seed, epoch, label, OF_CLASS);
    return Array.from({ length: counts[i] ?? 0 }, (_, n) => rows[own[order[n % own.length] ?? 0] ?? 0] ?? 0);
  });
  return shuffle(Uint32Array.from(drawn), random(seed, epoch, ALL));
}

/** Rows, and what they are labelled with. */
export type Drawn = Pick<Part, 'rows'> & { readonly samples: Pick<Part['samples'], 'labels' | 'hot'> };

/** For each class that there is the places of its samples among the rows. */
function membersOf({ samples: { labels, hot }, rows }: Drawn): (readonly [label: number, places: number[]])[] {
  if (hot === undefined) return [...rowsByClass(Array.from(rows, (row) => labels[row] ?? 0n))];
  const width = hot.length / labels.length;
  const members = Array.from({ length: width + 1 }, (): number[] => []);
  for (const [place, row] of rows.entries()) {
    const own = hot.subarray(row * width, (row + 1) * width);
    if (!own.includes(1)) members[width]?.push(place);
    for (const [k, has] of own.entries()) if (has === 1) members[k]?.push(place);
  }
  return members.flatMap((places, label) => (places.length === 0 ? [] : [[label, places] as const]));
}

/**
 * Of several labels per sample: how many samples with each label an epoch draws, on average. Labels that come together are drawn together. At least 1
 * of each that there is.
 */
export function drawnLabels(drawn: Drawn, sampler: Sampler): readonly number[] {
  const { labels, hot = new Uint8Array() } = drawn.samples;
  const width = hot.length / labels.length;
  const members = membersOf(drawn);
  const shares = members.map(([, places]) => places.length ** POWER[sampler]);
  const sum = shares.reduce((all, share) => all + share, 0);
  const counts = Array<number>(width).fill(0);
  for (const [i, [, places]] of members.entries()) {
    const each = ((shares[i] ?? 0) * drawn.rows.length) / (sum * places.length);
    for (const place of places) {
      const row = drawn.rows[place] ?? 0;
      for (let k = 0; k < width; k++) if (hot[row * width + k] === 1) counts[k] = (counts[k] ?? 0) + each;
    }
  }
  return counts.map((count) => (count === 0 ? 0 : Math.max(1, Math.round(count))));
}

/**
 * Samples of each class as a sampler draws them, with the same total: the basis of class weights and priors. At least 1 of each class
 * present.
 */
export function drawnCounts(counts: readonly number[], sampler: Sampler): readonly number[] {
  if (sampler === 'instance') return counts;
  const total = counts.reduce((sum, count) => sum + count, 0);
  const shares = counts.map((count) => (count === 0 ? 0 : count ** POWER[sampler]));
  const sum = shares.reduce((all, share) => all + share, 0);
  return shares.map((share) => (share === 0 ? 0 : Math.max(1, Math.round((total * share) / sum))));
}

/** Whole numbers in these shares that sum to `total`: the largest remainders are rounded up, the first of equal ones first. */
function apportion(total: number, shares: readonly number[]): number[] {
  const sum = shares.reduce((all, share) => all + share, 0);
  const exact = shares.map((share) => (total * share) / sum);
  const counts = exact.map(Math.floor);
  const rest = total - counts.reduce((all, count) => all + count, 0);
  const order = [...exact.keys()].sort(
    (a, b) => (exact[b] ?? 0) - (counts[b] ?? 0) - ((exact[a] ?? 0) - (counts[a] ?? 0)),
  );
  for (const i of order.slice(0, rest)) counts[i] = (counts[i] ?? 0) + 1;
  return counts;
}
