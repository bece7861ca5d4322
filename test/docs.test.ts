import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { gradients } from '../graphs/index.ts';
import { apiDoc } from '../scripts/api-doc.ts';
import { commandsDoc } from '../scripts/commands-doc.ts';
import { operatorsDoc } from '../scripts/operators-doc.ts';
import { SINCE } from '../src/transform/adapters/history.ts';
import { ROOT } from './support/cli.ts';

describe('docs/operators.md', () => {
  const text = readFileSync(join(ROOT, 'docs/operators.md'), 'utf8');

  it('is what npm run docs:operators writes', () => {
    expect(text).toBe(operatorsDoc());
  });

  it('has every operator of ai.onnx once, and every rule', () => {
    const listed = [...text.matchAll(/^\| (\w+) \| \d/gm)].map(([, op]) => op);
    const rules = Object.keys(gradients).filter((op) => !op.includes('::'));
    expect(listed.sort()).toEqual([...new Set([...Object.keys(SINCE), ...rules])].sort());
  });

  it('says of no rule that it is not tested', () => {
    expect(text).not.toMatch(/\| not \|/);
  });
});

describe('docs/api.md', () => {
  it('is what npm run docs:api writes: a change of the door is meant', () => {
    expect(readFileSync(join(ROOT, 'docs/api.md'), 'utf8')).toBe(apiDoc());
  });
});

describe('docs/commands.md', () => {
  const text = readFileSync(join(ROOT, 'docs/commands.md'), 'utf8');

  it('is what npm run docs:commands writes', async () => {
    expect(text).toBe(await commandsDoc());
  });

  it('has every command', () => {
    const commands = [...text.matchAll(/^ {2}lossgraft ([\w-]+) *(<.*>)? {2}/gm)].map(([, name]) => name);
    const headings = [...text.matchAll(/^## (.*)$/gm)].map(([, name]) => name);
    expect(commands.length).toBeGreaterThan(5);
    expect(headings).toEqual(expect.arrayContaining(commands));
  });
});
