import { describe, expect, it } from 'vitest';
import { readPage, sectionsOf, textOf } from '../../bench/page.ts';
import { keptResults, type Results, spreadOf } from '../../bench/results.ts';
import type { Section, Settings } from '../../bench/section.ts';

const settings: Settings = {
  build: { file: (name) => name, remove: () => undefined },
  python: '',
  threads: 2,
  rounds: 1,
  turns: 1,
  models: '',
  batch: undefined,
};

describe('docs/internals/performance.md', () => {
  it('shows the rows that bench/results.json keeps', () => {
    const kept = keptResults();
    const shown = kept ? textOf(kept, sectionsOf(kept, settings)) : '\n';
    expect(readPage().generated).toBe(shown);
  });
});

describe('the tables of npm run bench', () => {
  const when = { date: '2026-01-31', busy: 3 };
  const results: Results = {
    on: { cpu: 'a CPU', cores: '2', threads: '2', block: '16', node: '20', 'onnxruntime-node': '1', torch: '2' },
    torch: {
      mlp: { ...when, batch: 128, ours: spreadOf([6, 8, 7]), torch: spreadOf([10]), ourMiB: 9, torchMiB: 8 },
      resnet32: { ...when, batch: 128, ours: spreadOf([11]), torch: spreadOf([10]), ourMiB: 8, torchMiB: 8 },
    },
    plain: { mlp: { ...when, batch: 128, ours: spreadOf([9]), torch: spreadOf([10]), ourMiB: 12, torchMiB: 8 } },
    growth: {
      'mlp-batch': { ...when, unitMs: { 128: 1, 256: 2, 512: 2, 1024: 1.2 } },
      'resnet-depth': { ...when, unitMs: { 3: 1, 24: 1.3 } },
    },
    start: {
      start: { ...when, busy: 80, seconds: spreadOf([5, 7, 6]) },
      'first-start': { ...when, seconds: spreadOf([6.1]) },
    },
    waiting: { 'jpeg-waiting': { ...when, epochSeconds: 3, percent: 5.5 } },
  };
  const sections = sectionsOf(results, settings);
  const sectionWith = (name: string, isPlain = false): Section => {
    const found = sections.find((section) => section.names.includes(name) && section.isPlain === isPlain);
    if (found) return found;
    throw new Error(name);
  };
  const missed = (name: string, isPlain?: boolean): readonly string[] => sectionWith(name, isPlain).missed(name);

  it('name the limits that are missed, and no others', () => {
    expect(missed('mlp')).toEqual([expect.stringMatching(/^1.13 of PyTorch's memory/)]);
    expect(missed('resnet32')).toEqual(["1.1 of PyTorch's time, at most 1"]);
    expect(missed('mlp', true)).toEqual([]);
    expect(missed('mlp-batch')).toEqual([]);
    expect(missed('resnet-depth')).toEqual(['a unit is 1.3 as dear, at most 1.2']);
    expect(missed('start')).toEqual([]);
    expect(missed('first-start')).toEqual(['6.1 s, at most 6']);
    expect(missed('jpeg-waiting')).toEqual(['5.5 % of the time without data, at most 5']);
    expect(missed('vit_b_16')).toEqual([]);
  });

  it('show medians with quartiles, and in bold what is above its limit', () => {
    const text = textOf(results, sections);
    expect(text).toContain(
      '| MLP 784-256-10, several steps in a run | 128 | 7 (7 to 8) | 10 (10 to 10) | 0.7 | 0.7 | 9 : 8 | **1.13** | 1 |',
    );
    expect(text).toContain('| 6 (6 to 7) | 6 | 2026-01-31, **beside others, 80 %** |');
    expect(text).toContain('| **6.1 (6.1 to 6.1)** | 6 |');
    expect(text).not.toContain('ViT-B/16');
  });
});
