/** The labels of all samples in one array. Those of sample i are `of[starts[i]]` up to, without, `of[starts[i + 1]]`, ascending. */
export interface LabelLists {
  readonly starts: Uint32Array;
  readonly of: Uint32Array;
}

/** The labels that are not 0 in rows of `classes` numbers. */
export function listsOf(hot: ArrayLike<number>, classes: number): LabelLists {
  const size = classes === 0 ? 0 : hot.length / classes;
  const starts = new Uint32Array(size + 1);
  const of: number[] = [];
  for (let i = 0; i < hot.length; i++) {
    if (hot[i]) of.push(i % classes);
    if (i % classes === classes - 1) starts[Math.floor(i / classes) + 1] = of.length;
  }
  return { starts, of: Uint32Array.from(of) };
}

/** How many labels a sample has. */
export function lengthOf({ starts }: LabelLists, row: number): number {
  return (starts[row + 1] ?? 0) - (starts[row] ?? 0);
}

/** Adds `weight` to the sums of a sample's labels. */
export function addAll(sums: Float64Array, { starts, of }: LabelLists, row: number, weight: number): void {
  for (let i = starts[row] ?? 0; i < (starts[row + 1] ?? 0); i++) {
    const k = of[i] ?? 0;
    sums[k] = (sums[k] ?? 0) + weight;
  }
}

/** The labels of a sample in both lists. */
export function eachCommon(a: LabelLists, b: LabelLists, row: number, use: (k: number) => void): void {
  let [i, j] = [a.starts[row] ?? 0, b.starts[row] ?? 0];
  const [endA, endB] = [a.starts[row + 1] ?? 0, b.starts[row + 1] ?? 0];
  while (i < endA && j < endB) {
    const [x, y] = [a.of[i] ?? 0, b.of[j] ?? 0];
    if (x === y) use(x);
    if (x <= y) i++;
    if (y <= x) j++;
  }
}

/** Samples of each label. */
export function countLabels({ of }: LabelLists, classes: number): number[] {
  const counts = Array<number>(classes).fill(0);
  for (const k of of) counts[k] = (counts[k] ?? 0) + 1;
  return counts;
}

/** The rarest label of each sample, the first of equally rare ones; the number of labels for a sample that has none. */
export function rarestLabels({ starts, of }: LabelLists, counts: readonly number[]): Int32Array {
  return Int32Array.from({ length: starts.length - 1 }, (_, row) => {
    let rarest = counts.length;
    for (let i = starts[row] ?? 0; i < (starts[row + 1] ?? 0); i++) {
      const k = of[i] ?? 0;
      if (rarest === counts.length || (counts[k] ?? 0) < (counts[rarest] ?? 0)) rarest = k;
    }
    return rarest;
  });
}

/** 0 and 1 for each label of each sample, [N, C]. */
export function hotOf({ starts, of }: LabelLists, size: number, classes: number): Uint8Array {
  const hot = new Uint8Array(size * classes);
  for (let row = 0; row < size; row++) {
    for (let i = starts[row] ?? 0; i < (starts[row + 1] ?? 0); i++) hot[row * classes + (of[i] ?? 0)] = 1;
  }
  return hot;
}
