import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { preparedFor } from '../../src/data/prepared.ts';
import { readCategoryOrder } from '../../src/data/tables/categoryOrder.ts';
import { type DataOptions, evaluate, open, openData, predict, selectRows } from '../../src/index.ts';
import type { Port } from '../../src/runtime/feeds.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const TABLES = join(ROOT, 'fixtures/data/tables');
const FOLDER = join(ROOT, 'fixtures/data/categories');
const [PEOPLE, OTHERS, STRANGERS, WHOLE] = ['people', 'others', 'strangers', 'whole'].map((name) =>
  join(TABLES, `${name}.csv`),
) as [string, string, string, string];

/** By fixtures/data/categories.py, with pandas and scikit-learn. */
const expected = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as {
  readonly rows: readonly number[];
  readonly ordinal: readonly (readonly number[])[];
  readonly pipeline: { readonly classes: readonly string[]; readonly probabilities: readonly (readonly number[])[] };
} & Record<'mean' | 'median' | 'mode', Record<'people' | 'others', readonly (readonly number[])[]>>;

const ROWS = Uint32Array.from(expected.rows);
const ZIP: DataOptions = { categorical: ['zip'] };
const port = (width: number, dtype: Port['dtype'] = 'float32'): Port[] => [{ name: 'x', dtype, shape: ['N', width] }];

async function numbersOf(path: string, options: DataOptions, ports: Port[], from = path): Promise<Float32Array> {
  using first = await openData(from, options);
  using data = await openData(path, options);
  const fitted = first.table?.fit(ports, ROWS);
  const prepared = preparedFor(data, ports, fitted?.preparation);
  const size = prepared.unnamed?.dims[0] ?? 0;
  const found = await prepared.unnamed?.read(0, size);
  return found?.data as Float32Array;
}

describe('categories and missing cells become the numbers of scikit-learn', () => {
  it.each(['mean', 'median', 'mode'] as const)('zeros and ones, filled with the %s', async (missing) => {
    const options = { ...ZIP, missing };
    const found = await numbersOf(PEOPLE, options, port(13));
    expect(found).toEqual(Float32Array.from(expected[missing].people.flat()));
    // Other data, with columns in another order, one more, and a category less.
    const others = await numbersOf(OTHERS, options, port(13), PEOPLE);
    expect(others).toEqual(Float32Array.from(expected[missing].others.flat()));
  });

  it('indices in place, where the width asks for them, or the user', async () => {
    const numbers = Float32Array.from(expected.ordinal.flat());
    expect(await numbersOf(PEOPLE, { ...ZIP, missing: 'mean' }, port(6))).toEqual(numbers);
    const asked = { ...ZIP, missing: 'mean', categories: 'ordinal' } as const;
    expect(await numbersOf(PEOPLE, asked, [{ name: 'x', dtype: 'float32', shape: ['N', undefined] }])).toEqual(numbers);
  });

  it('categories in the order that is given, with one that these data lack', async () => {
    const categoryOrder = { size: ['S', 'M', 'L', 'XL'], zip: ['20', '1010', '1020'] };
    const found = await numbersOf(PEOPLE, { missing: 'mean', categoryOrder }, port(14));
    const [first] = expected.mean.people;
    const [large, medium, small, low, middle, high] = first?.slice(7) ?? [];
    // Sorted they are L, M, S and 1010, 1020, 20.
    expect(Array.from(found.slice(7, 14))).toEqual([small, medium, large, 0, high, low, middle]);
    await expect(
      numbersOf(PEOPLE, { missing: 'mean', categoryOrder: { size: ['S'] } }, port(11)),
    ).rejects.toMatchObject({
      code: 'unknown-category',
    });
    expect(readCategoryOrder('size=S,M;zip=1')).toEqual({ size: ['S', 'M'], zip: ['1'] });
    expect(readCategoryOrder('S,M')).toBeUndefined();
  });

  it('rows that were selected are those', async () => {
    using data = await openData(PEOPLE, { ...ZIP, missing: 'mean' });
    using some = selectRows(data, Uint32Array.of(7, 3));
    const all = selectRows(data, ROWS).table?.fit(port(13), Uint32Array.from(ROWS.keys()));
    const found = await preparedFor(some, port(13), all?.preparation).unnamed?.read(0, 2);
    const rows = [7, 3].flatMap((row) => expected.mean.people[row] ?? []);
    expect(found?.data).toEqual(Float32Array.from(rows));
  });

  it('a column that names samples is left out, unless the width asks for it; notes say what was made', async () => {
    using data = await openData(PEOPLE, { ...ZIP, missing: 'mean' });
    const { notes } = data.table?.fit(port(13), ROWS) ?? {};
    expect(notes?.join()).toMatch(
      /categories in sorted order become zeros and ones, behind the numbers: colour \(blue, dark, red,/,
    );
    expect(notes?.join()).toMatch(/left out "person", which names samples: no value comes twice/);
    const path = join(temporaryFolder(), 't.csv');
    writeFileSync(path, 'id,a,label\n7,2,x\n5,3,y\n6,3,y\n');
    using plain = await openData(path);
    expect(preparedFor(plain, port(1)).notes?.join()).toMatch(/left out "id"/);
    expect(preparedFor(plain, port(2)).notes?.join()).toMatch(/"id" seems to name samples, and is a feature/);
    expect(plain.unnamed?.dims).toEqual([3, 1]);
  });

  it('no width fits: both ways are told', async () => {
    using data = await openData(PEOPLE, { ...ZIP, missing: 'mean' });
    expect(() => data.table?.fit(port(9), ROWS)).toThrow(
      /the 9 numbers that the model reads, found 13 \(3 of numbers; categories as zeros and ones, colour: 4, size: 3, zip: 3\), or 6 /,
    );
  });
});

describe('what is not known is refused, with its place', () => {
  it('categories that training had not', async () => {
    const options = { ...ZIP, missing: 'mean' } as const;
    await expect(numbersOf(STRANGERS, options, port(13), PEOPLE)).rejects.toMatchObject({
      code: 'unknown-category',
      message: expect.stringMatching(/strangers\.csv, row 4 \(line 6\), column colour\] .* found "violet"/),
    });
    const ignored = await numbersOf(STRANGERS, { ...options, unknownCategory: 'ignore' }, port(13), PEOPLE);
    const rows = structuredClone(expected.mean.others) as number[][];
    rows[4]?.fill(0, 3, 7);
    rows[7]?.fill(0, 7, 10);
    expect(ignored).toEqual(Float32Array.from(rows.flat()));
  });

  it('missing cells that nothing fills', async () => {
    await expect(openData(PEOPLE, ZIP)).rejects.toMatchObject({ code: 'missing-value' });
    using data = await openData(PEOPLE, { ...ZIP, missing: 'mean' });
    expect(() => preparedFor(data, port(13))).toThrow(/fitted on training rows: train with `missing: "mean"`/);
    using kept = await openData(PEOPLE, { ...ZIP, missing: 'keep' });
    const found = await preparedFor(kept, port(13)).unnamed?.read(0, 300);
    expect(Array.from(found?.data ?? [], Number).some(Number.isNaN)).toBe(true);
  });

  it.each([
    ['a,label\n1,x\nred,x\n', /row 1 \(line 3\), column a\] .* found "red"/],
    ['a,label\nred,x\n1,x\n', /row 0 \(line 2\), column a\] .* found "red"/],
  ])('numbers and texts in one column: %j', async (text, shown) => {
    const path = join(temporaryFolder(), 't.csv');
    writeFileSync(path, text);
    await expect(openData(path)).rejects.toMatchObject({ code: 'no-number', message: expect.stringMatching(shown) });
    using data = await openData(path, { categorical: ['a'] });
    expect(preparedFor(data, port(2)).unnamed?.dims).toEqual([2, 2]);
  });

  it.each<[DataOptions, string]>([
    [{ featureColumns: { x: ['age'] }, missing: 'mean' }, 'option-conflict'],
    [{ featureColumns: { x: ['age'] }, categorical: ['zip'] }, 'option-conflict'],
    [{ missing: 'drop', unlabelled: true }, 'option-conflict'],
    [{ categorical: ['nothing'] }, 'table-columns'],
  ])('%j', async (options, code) => {
    await expect(openData(PEOPLE, options)).rejects.toMatchObject({ code });
  });
});

describe('a pipeline of scikit-learn with an input for each column', () => {
  it('reads the table as it is', async () => {
    const file = join(FOLDER, 'pipeline.onnx');
    using model = await open(file);
    using data = await openData(WHOLE, { model: file });
    const predictions = await predict(model, data, { probabilities: true });
    const found: number[][] = [];
    for await (const batch of predictions.batches())
      for (const { probabilities } of batch) found.push(Array.from(probabilities ?? []));
    expect(found).toHaveLength(expected.pipeline.probabilities.length);
    for (const [i, row] of expected.pipeline.probabilities.entries())
      for (const [k, p] of row.entries()) expect(found[i]?.[k]).toBeCloseTo(p, 5);
    const { metrics } = await evaluate(model, data);
    expect(metrics.accuracy).toBeGreaterThan(0.5);
  });

  it('a column that looks like numbers, and is read as text, is to be called one without the model', async () => {
    using model = await open(join(FOLDER, 'pipeline.onnx'));
    using data = await openData(WHOLE);
    await expect(evaluate(model, data)).rejects.toThrow(/`categorical/);
    using said = await openData(WHOLE, ZIP);
    expect((await evaluate(model, said)).samples).toBe(expected.pipeline.probabilities.length);
  });
});
