import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCosts } from '../../src/data/costs.ts';
import { temporaryFolder } from '../support/cli.ts';

function file(name: string, text: string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, text);
  return path;
}

describe('a cost matrix', () => {
  it.each([
    ['c.json', '[[0, 1.5], [10, 0]]'],
    ['c.csv', '0,1.5\r\n10,0\r\n\r\n'],
    ['c.csv', ' 0 , 1.5\n1e1,-0\n'],
  ])('of %s', (name, text) => {
    expect(
      readCosts(file(name, text))
        .flat()
        .map((cost) => cost + 0),
    ).toEqual([0, 1.5, 10, 0]);
  });

  it.each([
    ['c.json', '{"a": 1}', /found something else/],
    ['c.json', '[[0, 1]', /found something else/],
    ['c.json', '[[0, 1]]', /found 1 rows, and 2 numbers in row 0/],
    ['c.csv', '0,1\n1\n', /found 2 rows, and 1 numbers in row 1/],
    ['c.csv', 'a,b\n0,1\n', /found something other than a number in row 0/],
    ['c.csv', '0,\n1,0\n', /found something other than a number in row 0/],
    ['c.csv', '', /found none|found 0 rows|something/],
  ])('%s with %j is refused', (name, text, message) => {
    expect(() => readCosts(file(name, text))).toThrow(message);
  });

  it('that is not there is named', () => {
    expect(() => readCosts('nowhere.json')).toThrow(/nowhere.json/);
  });
});
