import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withFlags, withFlagsIn } from '../cli/flags.ts';
import { LossgraftError, option, rewriteOptions } from '../src/errors.ts';
import { lossgraft, ROOT, temporaryFolder } from './support/cli.ts';

function filesOf(folder: string): { readonly file: string; readonly text: string }[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
    .map((file) => ({ file: join(folder, file), text: readFileSync(join(ROOT, folder, file), 'utf8') }));
}

const SOURCES = ['src', 'graphs'].flatMap(filesOf);

const error = (problem: { where?: string; hint?: string; found?: string }): LossgraftError =>
  new LossgraftError({ code: 'option-range', where: 'a.csv', expected: 'x', found: 'y', hint: 'z', ...problem });

describe('options in texts', () => {
  it.each([
    [option('classCounts'), '`classCounts`', '--class-counts'],
    [option('trainable', 'head'), '`trainable: "head"`', '--trainable head'],
    [option('maxLength', 12), '`maxLength: 12`', '--max-length 12'],
    [option('logits', '/fc/Gemm output'), '`logits: "/fc/Gemm output"`', "--logits '/fc/Gemm output'"],
    [option('logits', 'a`b"c\\'), '`logits: "a\\u0060b\\"c\\\\"`', "--logits 'a`b\"c\\'"],
    [option('logits', "it's"), '`logits: "it\'s"`', "--logits 'it'\\''s'"],
    [option('header', false), '`header: false`', '--no-header'],
    [option('mode', 'resume'), '`mode: "resume"`', '--resume'],
    [option('force'), '`force`', '--force'],
    [option('folder'), '`folder`', '--run'],
    [option('costs'), '`costs`', '--cost-matrix'],
    [option('alpha', 2), '`alpha: 2`', '--alpha 2'],
    ['no option: `input_ids` and `x`', 'no option: `input_ids` and `x`', 'no option: `input_ids` and `x`'],
  ])('%s', (text, shown, flags) => {
    expect(text).toBe(shown);
    expect(withFlags(text)).toBe(flags);
  });

  it('are given back with their values', () => {
    const found: unknown[] = [];
    rewriteOptions(`${option('logits', 'a"b')}, ${option('maxLength', 3)}, ${option('force')}`, (...named) => {
      found.push(named);
      return undefined;
    });
    expect(found).toEqual([
      ['logits', 'a"b'],
      ['maxLength', 3],
      ['force', undefined],
    ]);
  });

  it('an error lists their keys: its own first, then those of the hint', () => {
    const thrown = error({
      where: 'option classCounts',
      hint: `${option('loss')}, ${option('classCounts')}`,
      found: option('beta'),
    });
    expect(thrown.options).toEqual(['classCounts', 'loss', 'beta']);
    expect(error({}).options).toEqual([]);
    expect(withFlagsIn(thrown)).toMatchObject({
      where: 'option class-counts',
      hint: '--loss, --class-counts',
      found: '--beta',
    });
  });
});

describe('the sources', () => {
  it('name options that there are, and no flags', () => {
    const named = SOURCES.flatMap(({ text }) => [...text.matchAll(/\boption\('(\w+)'/g)].map(([, key = '']) => key));
    expect(named.length).toBeGreaterThan(70);
    const values: Readonly<Record<string, string>> = { mode: 'resume' };
    expect(named.filter((key) => !withFlags(option(key, values[key])).startsWith('--'))).toEqual([]);
    const own = named.map((key) => `option ${key}`).concat('option classCounts');
    expect(own.filter((where) => withFlagsIn(error({ where })).where.includes('undefined'))).toEqual([]);
    const flags = SOURCES.filter(({ file }) => !/cuda|webgpu\/diagnose|report|train\/job\/readme/.test(file)).flatMap(
      ({ file, text }) =>
        text
          .split('\n')
          .flatMap((line) => (/^\s*(\*|\/)/.test(line) || !/(^|[^-\w])--[a-z]/.test(line) ? [] : [`${file}: ${line}`])),
    );
    expect(flags).toEqual([]);
  });

  it('where an option is said to be wrong, its key is that of a program', () => {
    const wheres = SOURCES.flatMap(({ text }) =>
      [...text.matchAll(/['`]option ([a-z][\w-]*)/g)].map(([, key = '']) => key),
    );
    expect(wheres.length).toBeGreaterThan(20);
    expect(wheres.filter((key) => key.includes('-'))).toEqual([]);
  });

  it('throw every code of the union', () => {
    const codes = [...readFileSync(join(ROOT, 'src/errorCodes.ts'), 'utf8').matchAll(/'([a-z0-9-]+)'/g)].map(
      ([, code]) => code,
    );
    const all = [...SOURCES, ...filesOf('scripts'), ...filesOf('web')];
    const thrown = all
      .filter(({ file }) => !file.endsWith('errorCodes.ts'))
      .map(({ text }) => text)
      .join('\n');
    expect(codes.length).toBeGreaterThan(150);
    expect(codes.filter((code) => !thrown.includes(`'${code}'`))).toEqual([]);
  });
});

it('the command line writes flags, and as JSON the keys beside them', async () => {
  const args = ['augment', join(ROOT, 'fixtures/digits/model.onnx'), '-o', 'o.onnx', '--loss', 'ldam', '--json'];
  const { stdout, stderr } = await lossgraft(args, { cwd: temporaryFolder() });
  expect(stderr).toMatch(/^lossgraft: \[option class-counts\] .*Add --class-counts, as a list/m);
  expect(JSON.parse(stdout)).toEqual({
    error: {
      code: 'option-needs-option',
      where: 'option class-counts',
      expected: expect.stringMatching(/ldam/),
      found: 'no --class-counts',
      hint: 'Add --class-counts, as a list or as a file with the labels',
      options: ['classCounts'],
      message: expect.stringMatching(/Add --class-counts/),
      status: 2,
    },
  });
});
