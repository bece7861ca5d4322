import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './support/cli.ts';

/** All that is loaded with a file before anything runs: files of ours, and packages by name. Types are not loaded. */
function loadedWith(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const text = readFileSync(join(ROOT, file), 'utf8');
  for (const [, names = '', from = ''] of text.matchAll(/^(?:import|export)\s+((?!type\b)[^;]*?)\bfrom '([^']+)'/gms)) {
    if (/^\{(\s*type\s[^,}]+,?)+\s*\}\s*$/.test(names)) continue;
    if (!from.startsWith('.')) seen.add(from);
    else loadedWith(join(dirname(file), from), seen);
  }
  return seen;
}

const DRAWING = ['@observablehq/plot', 'linkedom'];
const READING = ['sharp', 'csv-parse', 'hyparquet', 'tokenizers'];

it.each([
  ['cli/main.ts', ['src/index.ts', 'onnxruntime-node', 'protobufjs', ...DRAWING, ...READING]],
  ['src/look.ts', ['src/data/open.ts', 'graphs/catalogue.ts', 'graphs/lowered/index.ts', 'yauzl', 'yazl', ...READING]],
  ['src/index.ts', ['src/train/train.ts', 'src/trainer/trainer.ts', ...DRAWING, ...READING]],
])('%s starts without what only some commands need', (file, unwanted) => {
  const loaded = loadedWith(file);
  expect(loaded.size).toBeGreaterThan(50);
  expect([...loaded].filter((each) => each.startsWith('src/')).every((each) => existsSync(join(ROOT, each)))).toBe(
    true,
  );
  expect([...loaded].filter((each) => unwanted.includes(each))).toEqual([]);
});
