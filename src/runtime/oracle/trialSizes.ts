import type { Graph, Value } from '../../ir/graph.ts';

/** A dimension of the inputs that the model leaves free. */
export interface FreeSize {
  /** Its name; inputs without names share sizes by their axes. */
  readonly key: string;
  readonly kind: 'batch' | 'plane' | 'length';
}

/** A size for each free dimension, by key. */
export type Sizes = ReadonlyMap<string, number>;

/** Names that exporters write for any unknown size: two of them need not be equal. */
const PLACEHOLDER = /^(\?|\*|-1|none|unk|unknown|dynamic|)$/i;

/** The key under which a free dimension of an input has its size. */
export function sizeKey(dim: string | undefined, axis: number): string {
  return dim === undefined || PLACEHOLDER.test(dim) ? `${UNNAMED} ${axis}` : dim;
}

const UNNAMED = 'lossgraft: axis';

/** Whether a name stands for one size wherever it occurs. */
export function isSymbol(name: string): boolean {
  return !PLACEHOLDER.test(name) && !name.startsWith(UNNAMED);
}

/** The free dimensions: the first of an input is the batch, those of images and volumes are planes. */
export function freeSizes(inputs: readonly Value[]): FreeSize[] {
  const found = new Map<string, FreeSize['kind']>();
  for (const { shape = [] } of inputs) {
    for (const [axis, dim] of shape.entries()) {
      if (typeof dim === 'number') continue;
      const key = sizeKey(dim, axis);
      const kind = axis === 0 ? 'batch' : shape.length > 3 ? 'plane' : 'length';
      if (kind === 'batch' || !found.has(key)) found.set(key, kind);
    }
  }
  return [...found].map(([key, kind]) => ({ key, kind }));
}

/**
 * For small planes or sequences, a batch size that does not coincide with their lengths; otherwise a small one, because samples are
 * large.
 */
const FIRST_BATCH = { free: 5, fixed: 2 };
const PLANES = [32, 224, 64, 8, 28, 96, 128, 256, 299, 384, 512, 16, 1];
const LENGTHS = [8, 16, 1, 64, 128, 512];
const OTHER_PLANES = [1, 2, 4, 16, 48, 64, 96, 160, 192, 256];
const OTHER_LENGTHS = [1, 3, 5, 16, 32];
/** Longer weights are vocabularies, not sizes of an input. */
const LONGEST = 4096;

/** Sizes for a first run, likely ones first. */
export function firstSizes(graph: Graph, free: readonly FreeSize[]): Sizes[] {
  const has = (kind: FreeSize['kind']) => free.some((size) => size.kind === kind);
  const batch = has('plane') || has('length') ? FIRST_BATCH.free : FIRST_BATCH.fixed;
  const lengths = [...new Set([...LENGTHS.slice(0, 2), ...weightLengths(graph), ...LENGTHS.slice(2)])];
  const planes = has('plane') ? PLANES : [1];
  const pairs = planes.flatMap((plane) =>
    (has('plane') ? lengths.slice(0, 3) : lengths)
      .slice(0, has('length') ? undefined : 1)
      .map((length) => ({ plane, length })),
  );
  const apart = pairs
    .slice(0, 1)
    .map(({ plane, length }) => sized(free, batch, (kind, i) => (kind === 'plane' ? plane : length) * (i + 1)));
  return [
    ...apart,
    ...pairs.map(({ plane, length }) => sized(free, batch, (kind) => (kind === 'plane' ? plane : length))),
  ];
}

/** Sizes for a second run: all different from the first, small ones first, with one sample, unless the model needs more. */
export function secondSizes(free: readonly FreeSize[], first: Sizes): Sizes[] {
  const others = (kind: FreeSize['kind']) => (kind === 'plane' ? OTHER_PLANES : OTHER_LENGTHS);
  const rounds = free.every(({ kind }) => kind === 'batch') ? [0] : OTHER_PLANES.keys();
  const tries = [...rounds].map((round) => (batch: number) => {
    return new Map(
      free.map(({ key, kind }) => {
        if (kind === 'batch') return [key, batch];
        const choice = others(kind).filter((size) => size !== first.get(key));
        return [key, choice[Math.min(round, choice.length - 1)] ?? 1];
      }),
    );
  });
  return [1, 3].flatMap((batch) => tries.map((sizes) => sizes(batch)));
}

/** The first run's sizes with another batch: for a model that accepts no other sizes. */
export function otherBatch(free: readonly FreeSize[], first: Sizes): Sizes[] {
  if (!free.some(({ kind }) => kind === 'batch')) return [];
  return [1, 3].map(
    (batch) => new Map(free.map(({ key, kind }) => [key, kind === 'batch' ? batch : (first.get(key) ?? 1)])),
  );
}

function sized(free: readonly FreeSize[], batch: number, size: (kind: FreeSize['kind'], i: number) => number): Sizes {
  const counts = { batch: 0, plane: 0, length: 0 };
  return new Map(free.map(({ key, kind }) => [key, kind === 'batch' ? batch : size(kind, counts[kind]++)]));
}

/** Lengths of the weights that inputs meet: a table has as many columns as those have rows. */
function weightLengths(graph: Graph): number[] {
  const nodes = graph.inputs.flatMap((input) => [...input.uses]);
  const weights = nodes.flatMap(({ inputs }) => inputs.filter((read) => read && graph.initializers.has(read)));
  const dims = weights.flatMap((weight) => weight?.shape ?? []);
  return [...new Set(dims.filter((dim) => typeof dim === 'number' && dim > 1 && dim <= LONGEST).map(Number))].slice(
    0,
    6,
  );
}
