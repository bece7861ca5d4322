import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fromBytes } from '../../src/files/bytes.ts';
import {
  type AugmentOptions,
  type AugmentReport,
  augment,
  inspect,
  LossgraftError,
  type LossName,
  open,
  trainGraph,
} from '../../src/index.ts';
import { scan } from '../../src/onnx/index.ts';
import { EXCLUSIVE_LOSSES, lossesByName } from '../support/catalogue.ts';
import { ROOT } from '../support/cli.ts';

const COUNTS = [130, 90, 63, 44, 31, 21, 15, 10, 7, 5];

it('the file says the counts, where they matter', async () => {
  const model = await open(join(ROOT, 'fixtures/digits/model.onnx'));
  const manifestOf = async (loss: LossName): Promise<Readonly<Record<string, unknown>>> => {
    const bytes = (await augment(model, { loss, classCounts: COUNTS })).bytes();
    return JSON.parse(scan(fromBytes(bytes, 'augmented')).metadata.get('lossgraft') ?? '');
  };
  expect(await manifestOf('ldam')).toMatchObject({ classCounts: COUNTS, classWeights: null });
  expect(await manifestOf('ce')).not.toHaveProperty('classCounts');
  model.close();
});

async function reportOf(options: AugmentOptions): Promise<AugmentReport> {
  const model = await open(join(ROOT, 'fixtures/digits/model.onnx'));
  try {
    return (await augment(model, options)).report;
  } finally {
    model.close();
  }
}

async function problemOf(options: AugmentOptions): Promise<LossgraftError['problem']> {
  const error: unknown = await reportOf(options).catch((caught: unknown) => caught);
  if (error instanceof LossgraftError) return error.problem;
  throw new Error('nothing was refused');
}

const fromCounts = EXCLUSIVE_LOSSES.filter((name) => lossesByName[name]?.needsCounts);

describe('counts by name', () => {
  const WORDS = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
  const named = (names: readonly string[]): Record<string, number> =>
    Object.fromEntries(names.map((name) => [name, COUNTS[WORDS.indexOf(name)] ?? 1]));
  const sorted = named([...WORDS].sort());
  const asked = { loss: 'ldam', classNames: WORDS } as const;

  it('stand in the order of the scores, however they are listed', async () => {
    expect(await reportOf({ ...asked, classCounts: sorted })).toMatchObject({ classCounts: COUNTS });
    const model = await open(join(ROOT, 'fixtures/names/hf'));
    const { names } = (await inspect(model)).classNames ?? { names: [] };
    const counts = Object.fromEntries(names.map((name, k) => [name, 10 * (k + 1)]));
    const backwards = Object.fromEntries(Object.entries(counts).reverse());
    const { report } = await trainGraph(model, { loss: 'ldam', classCounts: backwards });
    expect(report.classCounts).toEqual(Object.values(counts));
    model.close();
  });

  it('make class weights', async () => {
    const options = { loss: 'ce', classNames: WORDS } as const;
    const { classWeights } = await reportOf({ ...options, classCounts: sorted });
    expect(classWeights).toEqual((await reportOf({ ...options, classCounts: COUNTS })).classWeights);
  });

  it('may be indices', async () => {
    const classCounts = Object.fromEntries(COUNTS.entries());
    expect(await reportOf({ loss: 'ldam', classCounts })).toMatchObject({ classCounts: COUNTS });
  });

  it('are refused for names that the model does not have, and where nothing names its classes', async () => {
    const { nine: _, ...rest } = sorted;
    const refused = async (classCounts: Record<string, number>, names?: readonly string[]) =>
      problemOf({ loss: 'ldam', classCounts, ...(names ? { classNames: names } : {}) });
    expect(await refused({ ...rest, neun: 5 }, WORDS)).toMatchObject({ code: 'unknown-class', found: '"neun"' });
    expect(await refused({ ...rest, Nine: 5 }, WORDS)).toMatchObject({ hint: expect.stringContaining('"nine"') });
    expect(await refused(rest, WORDS)).toMatchObject({ code: 'class-count', found: 'none for "nine"' });
    expect(await refused(sorted)).toMatchObject({ expected: expect.stringContaining('nothing tells') });
    expect(await refused({ 0: 3, 2: 2 })).toMatchObject({ hint: 'Add class 1, which is missing' });
    expect(await refused(sorted, [...WORDS.slice(0, 9), 'one'])).toMatchObject({
      found: expect.stringContaining('more than once'),
    });
  });
});

it('four losses are made from the counts', () => {
  expect(fromCounts).toEqual(['ldam', 'balanced-softmax', 'logit-adjustment', 'vector-scaling']);
});

describe.each(fromCounts)('%s', (loss) => {
  it('reads the counts, says so, and has no class weights by default', async () => {
    expect(await reportOf({ loss, classCounts: COUNTS })).toMatchObject({ classCounts: COUNTS, classWeights: null });
    expect((await reportOf({ loss, classCounts: COUNTS, classWeights: 'none' })).classWeights).toBeNull();
  });

  it('takes class weights beside them, by a rule or of one’s own', async () => {
    const { classWeights } = await reportOf({ loss, classCounts: COUNTS, classWeights: 'effective', beta: 0.9 });
    expect(classWeights?.how).toBe('effective');
    const own = await reportOf({ loss, classCounts: COUNTS, classWeights: COUNTS.map(() => 2) });
    expect(own).toMatchObject({ classCounts: COUNTS, classWeights: { values: COUNTS.map(() => 1) } });
  });

  it('refuses none, too few, and an empty class', async () => {
    expect(await problemOf({ loss })).toMatchObject({
      code: 'option-needs-option',
      where: 'option classCounts',
      expected: `the number of training samples per class: the loss ${loss} is built from them`,
    });
    expect(await problemOf({ loss, classWeights: COUNTS })).toMatchObject({ found: 'no `classCounts`' });
    expect(await problemOf({ loss, classCounts: [5, 6] })).toMatchObject({ code: 'class-count-mismatch', found: '2' });
    expect(await problemOf({ loss, classCounts: [0, ...COUNTS.slice(1)] })).toMatchObject({ code: 'class-count' });
  });
});

it('for other losses counts stay what class weights are made from', async () => {
  for (const loss of ['ce', 'label-smoothing', 'poly1'] as const) {
    const report = await reportOf({ loss, classCounts: COUNTS });
    expect(report).toMatchObject({ classCounts: null, classWeights: { how: 'inverse' } });
    expect(await problemOf({ loss, classCounts: COUNTS, classWeights: 'none' })).toMatchObject({
      code: 'unused-option',
    });
  }
});
