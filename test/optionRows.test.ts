import { describe, expect, it } from 'vitest';
import { LossgraftError } from '../src/errors.ts';
import { checkNeeds, checkOptions, complete, flagOf, ownSettings, pick } from '../src/options/check.ts';
import { choice, count, flag, group, names, numbers, type OptionsOf, text, texts, value } from '../src/options/row.ts';

const rows = {
  folder: text('', { required: true, flag: 'run' }),
  epochs: count('', { default: 10, settings: 'own' }),
  schedule: choice(['constant', 'step'], '', { default: 'constant' }),
  milestones: numbers('', { needs: 'schedule=step' }),
  form: choice(['one', 'split'], '', { flag: false, switches: { split: { value: 'split', describe: '' } } }),
  steps: count('', { excludes: ['form=split', 'tags'], settings: 'own' }),
  tags: texts('', {}),
  rename: names('', 'a=b', {}),
  baseline: flag('', {}),
  augmentation: group({ padding: count('', {}) }, {}),
  even: value('an even number', (n): n is number => typeof n === 'number' && n % 2 === 0, '', {}),
};

function problemOf(given: object, act: (given: object) => void = (all) => checkOptions(rows, all)): unknown {
  try {
    act(given);
  } catch (error) {
    if (error instanceof LossgraftError) return error.problem;
  }
  return undefined;
}

describe('a table of rows', () => {
  it('checks what is given; undefined is not given', () => {
    const given: OptionsOf<typeof rows> = { folder: 'run', augmentation: { padding: 4 }, even: 2, rename: { a: 'b' } };
    expect(problemOf({ ...given, epochs: undefined })).toBeUndefined();
  });

  it.each([
    [{ folder: 'run', epochs: 0 }, 'option-range', 'option epochs', 'a whole number above 0'],
    [{ folder: 'run', epochs: '3' }, 'option-kind', 'option epochs', 'a whole number above 0'],
    [{ folder: 'run', schedule: 'cosine' }, 'option-range', 'option schedule', 'one of constant, step'],
    [{ folder: 'run', baseline: 1 }, 'option-kind', 'option baseline', 'true or false'],
    [{ folder: 'run', even: 3 }, 'option-kind', 'option even', 'an even number'],
    [{ folder: 'run', tags: 'a' }, 'option-kind', 'option tags', 'a list of texts'],
    [{ folder: 'run', augmentation: { padding: -1 } }, 'option-range', 'option padding', 'a whole number above 0'],
    [{ folder: 'run', augmentation: { pading: 1 } }, 'unknown-option', 'option pading', 'one of its options: padding'],
    [{ epochs: 1 }, 'missing-option', 'option folder', 'a text'],
    [{ folder: 'run', steps: 2, tags: [] }, 'option-conflict', 'option steps', 'either `steps` or `tags`'],
    [
      { folder: 'run', steps: 2, form: 'split' },
      'option-conflict',
      'option steps',
      'either `steps` or `form: "split"`',
    ],
  ])('refuses %j', (given, code, where, expected) => {
    expect(problemOf(given)).toMatchObject({ code, where, expected });
  });

  it('knows what is spelt nearly so, and what something else declares', () => {
    expect(problemOf({ folder: 'run', epoch: 3 })).toMatchObject({ hint: 'Omit it, or did you mean epochs' });
    expect(
      problemOf({ folder: 'run', alpha: 3 }, (all) => checkOptions(rows, all, (key) => key === 'alpha')),
    ).toBeUndefined();
  });

  it('refuses what would do nothing, by the value that counts in the end', () => {
    const given = { milestones: [3] };
    expect(problemOf(given, (all) => checkNeeds(rows, all))).toMatchObject({
      where: 'option milestones',
      expected: 'to be left out without `schedule: "step"`',
    });
    expect(problemOf(given, (all) => checkNeeds(rows, all, { ...all, schedule: 'step' }))).toBeUndefined();
  });

  it('gives what was given, defaults, and what a resumed run must have as before', () => {
    expect(pick(rows, { epochs: 3, other: 1, tags: undefined })).toEqual({ epochs: 3 });
    expect(complete(rows, { folder: 'run' })).toEqual({ folder: 'run', epochs: 10, schedule: 'constant' });
    expect(ownSettings(rows, { folder: 'run', steps: 2 })).toEqual({ epochs: 10, steps: 2 });
  });

  it('has flags', () => {
    expect(flagOf('folder', rows.folder)).toBe('--run');
    expect(flagOf('classCounts')).toBe('--class-counts');
  });
});
