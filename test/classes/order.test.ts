import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assign } from '../../src/classes/assignment.ts';
import { gatherEvidence, joinHalves, orderedLabels, orderNote } from '../../src/classes/evidence.ts';
import { findWrongOrder, type WrongOrder } from '../../src/classes/order.ts';
import { random } from '../../src/data/random.ts';
import { ROOT } from '../support/cli.ts';

it('the cheapest assignment is SciPy’s', () => {
  const path = join(ROOT, 'fixtures/names/assignments.json');
  for (const { cost, total } of JSON.parse(readFileSync(path, 'utf8'))) {
    const n: number = cost.length;
    const found = [
      ...assign(
        cost.map((row: number[]) => Float64Array.from(row)),
        n,
      ),
    ];
    expect(new Set(found).size).toBe(n);
    expect(found.reduce((sum, k, row) => sum + cost[row][k], 0)).toBeCloseTo(total, 9);
  }
});

it('fewer rows than columns take the cheapest columns', () => {
  const cost = [
    [5, 1, 4, 9],
    [3, 1, 8, 2],
  ].map((row) => Float64Array.from(row));
  expect([...assign(cost, 4)]).toEqual([1, 3]);
});

/** Numbers of a normal distribution, the same for a seed. */
function normals(seed: number): () => number {
  const stream = random(seed, 1);
  const uniform = (): number => stream.next() / 2 ** 32;
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

interface Seen {
  readonly label: number;
  readonly scores: readonly number[];
}

function verdict(classes: number, samples: readonly Seen[]): WrongOrder | undefined {
  const evidence = gatherEvidence(classes);
  for (const { label, scores } of samples) evidence.add(label, scores, 0);
  return findWrongOrder(evidence);
}

/** A trained model's scores, whose class for a label is `classOf`; about 85 % right at a lead of 2. */
function trained(classOf: readonly number[], counts: readonly number[], lead: number, seed = 1): Seen[] {
  const normal = normals(seed);
  return counts.flatMap((count, label) =>
    Array.from({ length: count }, () => ({
      label,
      scores: classOf.map((_, k) => lead * (k === classOf[label] ? 1.5 : 0) + normal()),
    })),
  );
}

const TEN = Array.from({ length: 10 }, (_, k) => k);
const even = (n: number, classes = 10): number[] => Array<number>(classes).fill(n);

describe('a wrong order of classes is found', () => {
  it.each([
    ['ten', [3, 7, 0, 9, 1, 4, 8, 2, 6, 5], even(30)],
    ['ten, few samples', [3, 7, 0, 9, 1, 4, 8, 2, 6, 5], even(6)],
    ['ten, a long tail', [9, 8, 7, 6, 5, 4, 3, 2, 1, 0], [300, 200, 120, 80, 50, 30, 20, 10, 6, 4]],
    ['ten, sorted as text', [0, 1, 3, 4, 5, 6, 7, 8, 9, 2], even(20)],
    ['ten, two exchanged', [0, 1, 2, 7, 4, 5, 6, 3, 8, 9], even(30)],
    ['three', [1, 2, 0], even(20, 3)],
    ['two', [1, 0], even(20, 2)],
    ['four of ten in the data', [3, 7, 0, 9, 1, 4, 8, 2, 6, 5], [40, 0, 40, 0, 0, 40, 0, 0, 40, 0]],
  ])('%s', (_, classOf, counts) => {
    const found = verdict(classOf.length, trained(classOf, counts, 2.5));
    for (const [label, count] of counts.entries())
      if (count > 3) expect(found?.fitting.classOf[label]).toBe(classOf[label]);
    expect(found?.fitting.accuracy).toBeGreaterThan(0.85);
  });

  it('of scores that are probabilities', () => {
    const samples = trained([1, 2, 0], even(30, 3), 2.5).map(({ label, scores }) => {
      const odds = scores.map(Math.exp);
      const sum = odds.reduce((a, b) => a + b, 0);
      return { label, scores: odds.map((one) => one / sum) };
    });
    expect(verdict(3, samples)?.fitting.classOf).toEqual([1, 2, 0]);
  });

  it('of a model that is too sure of itself, and often wrong', () => {
    const samples = trained([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], even(40), 1.4);
    const sure = samples.map(({ label, scores }) => ({ label, scores: scores.map((score) => 40 * score) }));
    expect(verdict(10, sure)?.fitting.classOf).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
  });
});

describe('of very many classes only some labels are looked at', () => {
  it.each([
    [1000, 1000],
    [2000, 2000],
    [5000, 800],
    [1_000_000, 16],
  ])('of %i classes %i', (classes, labels) => {
    expect(orderedLabels(classes)).toBe(labels);
    const note = orderNote(classes);
    if (labels === classes) expect(note).toBeUndefined();
    else expect(note).toContain(`looks at ${labels} of the ${classes} classes`);
  });

  it('the first that come', () => {
    const evidence = gatherEvidence(100_000);
    const scores = new Float32Array(100_000);
    for (let label = 0; label < 50; label++) evidence.add(label, scores, 0);
    expect(joinHalves(evidence.halves).size).toBe(40);
  });

  it('which tell that all classes are in a wrong order', () => {
    const classes = 5000;
    const normal = normals(3);
    const evidence = gatherEvidence(classes);
    for (let label = 0; label < 40; label++) {
      for (let i = 0; i < 4; i++) {
        const scores = Float32Array.from({ length: classes }, normal);
        scores[(label + 7) % classes] = 8;
        evidence.add(label, scores, 0);
      }
    }
    const found = findWrongOrder(evidence);
    expect(found?.samples).toBe(160);
    for (let label = 0; label < 40; label++) expect(found?.fitting.classOf[label]).toBe(label + 7);
    expect(new Set(found?.fitting.classOf).size).toBe(classes);
  });
});

describe('no alarm', () => {
  it.each([
    ['the right order', trained(TEN, even(30), 2.5)],
    ['the right order, a bad model', trained(TEN, even(30), 0.5)],
    ['the right order, a long tail', trained(TEN, [300, 200, 120, 80, 50, 30, 20, 10, 6, 4], 1)],
    ['a handful of samples', trained([1, 0], [4, 4], 3)],
    ['one class in the data', trained([1, 0], [40, 0], 3)],
    ['always the same answer', trained(even(4), [300, 200, 120, 80, 50, 30, 20, 10, 6, 4], 5)],
  ])('%s', (_, samples) => expect(verdict(samples[0]?.scores.length ?? 0, samples)).toBeUndefined());

  it('for scores that are no numbers, which count for nothing', () => {
    const broken = TEN.map((label) => ({
      label,
      scores: TEN.map((k) => (k === 3 ? Number.NaN : Number.POSITIVE_INFINITY)),
    }));
    expect(verdict(10, broken)).toBeUndefined();
    expect(verdict(10, [...broken, ...trained([...TEN].reverse(), even(30), 2.5)])?.samples).toBe(300);
  });

  it('for answers that have nothing to do with the labels, however sure', () => {
    let alarms = 0;
    for (let seed = 0; seed < 300; seed++) {
      const normal = normals(seed);
      const classes = [2, 3, 10][seed % 3] ?? 2;
      const counts = Array.from({ length: classes }, (_, k) => Math.ceil(60 / (k + 1)));
      const samples = counts.flatMap((count, label) =>
        Array.from({ length: count }, () => ({ label, scores: Array.from({ length: classes }, () => 20 * normal()) })),
      );
      if (verdict(classes, samples)) alarms++;
    }
    expect(alarms).toBe(0);
  });

  it('for fresh heads on features that tell the classes apart, as transformers begins them', () => {
    let alarms = 0;
    for (let seed = 0; seed < 300; seed++) {
      const classes = [2, 3, 5, 10][seed % 4] ?? 2;
      if (verdict(classes, freshHead(classes, seed))) alarms++;
    }
    expect(alarms).toBeLessThanOrEqual(3);
  });
});

/** A head of normal weights of 0.02 over 768 features of size 1, as LayerNorm leaves them; the classes' means share half of what they are. */
function freshHead(classes: number, seed: number): Seen[] {
  const normal = normals(seed);
  const width = 96;
  const vector = (size: number): number[] => Array.from({ length: width }, () => size * normal());
  const shared = vector(Math.SQRT1_2);
  const means = even(0, classes).map(() => vector(0.5));
  const weights = even(0, classes).map(() => vector(0.02 * Math.sqrt(768 / width)));
  return means.flatMap((mean, label) =>
    Array.from({ length: 40 }, () => {
      const noise = vector(0.5);
      const features = shared.map((value, i) => value + (mean[i] ?? 0) + (noise[i] ?? 0));
      return { label, scores: weights.map((row) => row.reduce((sum, w, i) => sum + w * (features[i] ?? 0), 0)) };
    }),
  );
}
