import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { labelsOf, openData } from '../../src/index.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';

const TABLE = join(ROOT, 'fixtures/data/tables/missing.csv');

/** By fixtures/data/missing.py, with pandas. */
const expected = JSON.parse(readFileSync(join(ROOT, 'fixtures/data/tables/missing.json'), 'utf8'));

it('columns that are no features, and rows with a missing cell, are left out as pandas leaves them out; notes say so', async () => {
  using data = await openData(TABLE, { drop: ['id'], missing: 'drop' });
  const size = expected.labels.length;
  expect(data.unnamed?.dims).toEqual([size, 2]);
  expect(Array.from((await data.unnamed?.read(0, size))?.data ?? [], Number)).toEqual(expected.features);
  const labels = await labelsOf(data, 3);
  expect(Array.from(labels, (label) => data.classNames?.[Number(label)])).toEqual(expected.labels);
  expect(data.notes).toContain(`${TABLE}: left out column id`);
  expect(data.notes).toContain(`${TABLE}: left out ${expected.dropped} rows with a missing cell`);
});

it('without the options the first fault is named, with the option that leaves it out', async () => {
  await expect(openData(TABLE)).rejects.toThrow('row 3 (line 5), column age]');
  await expect(openData(TABLE, { drop: ['id'] })).rejects.toThrow('`missing: "drop"`');
  await expect(openData(TABLE, { drop: ['name'] })).rejects.toThrow('option drop] expected a column among id, age');
  await expect(openData(TABLE, { drop: ['id'], missing: 'drop', unlabelled: true })).rejects.toThrow('option missing]');
  const both = { drop: ['id'], featureColumns: ['age'] };
  await expect(openData(TABLE, both)).rejects.toThrow('featureColumns');
});

it('a fault behind rows that were left out has its row in the file', async () => {
  const table = join(temporaryFolder(), 't.csv');
  writeFileSync(table, 'id,a,label\n1,,x\n2,3,x\n3,oops,x\n');
  await expect(openData(table, { missing: 'drop' })).rejects.toThrow('row 2 (line 4), column a]');
});
