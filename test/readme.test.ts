import { execFileSync } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lossgraft, ROOT, temporaryFolder } from './support/cli.ts';

const page = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const README = page('README.md');
const GRAFTING = page('docs/how-to/graft-a-loss.md');
const TUTORIAL = page('docs/tutorial.md');
const TYPESCRIPT = page('docs/how-to/typescript.md');

/** Fenced blocks of a language. */
function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, block = '']) => block);
}

/** A folder in which the README's paths hold. */
function workplace(): string {
  const folder = temporaryFolder();
  symlinkSync(join(ROOT, 'fixtures'), join(folder, 'fixtures'));
  return folder;
}

/** Words and numbers of a text: numbers may differ in their last digits between processors. */
function expectSame(actual: string, shown: string): void {
  const words = (text: string): string[] => text.trim().split(/\s+/);
  const [got, wanted] = [words(actual), words(shown)];
  expect(got.length).toBe(wanted.length);
  for (const [i, word] of wanted.entries()) {
    const number = Number(word);
    if (Number.isNaN(number)) expect(got[i]).toBe(word);
    else expect(Math.abs(Number(got[i]) - number)).toBeLessThanOrEqual(1e-3 * Math.abs(number));
  }
}

describe('the README and its how-tos', () => {
  it('show what the commands really print', async () => {
    const folder = workplace();
    const first = blocks(TUTORIAL, 'console').slice(0, 1);
    const shown = [...blocks(GRAFTING, 'console'), ...first].map((block) => block.split('\n'));
    expect(shown).toHaveLength(7);
    for (const [command = '', ...lines] of shown) {
      const [dollar, name, ...args] = command.split(' ');
      expect([dollar, name]).toEqual(['$', 'lossgraft']);
      const { code, stdout } = await lossgraft(args, { cwd: folder });
      expect(code).toBe(0);
      const end = lines.indexOf('…');
      expectSame(
        end < 0 ? stdout : stdout.split('\n').slice(0, end).join('\n'),
        lines.slice(0, end < 0 ? undefined : end).join('\n'),
      );
    }
  });

  it('have the examples that are compiled', () => {
    const examples = ['api', 'trainGraph', 'train'].map((name) =>
      readFileSync(join(ROOT, `examples/${name}.ts`), 'utf8'),
    );
    expect(blocks(TYPESCRIPT, 'ts')).toEqual(examples);
    expect(blocks(README, 'ts')).toEqual(examples.slice(2));
  });

  it.each([
    ['api', /^10 classes, features: \/relu_2\/Relu_output_0\nloss \d+\.\d{4} over 416 samples\n/],
    [
      'trainGraph',
      /^digits-step\.onnx and digits-step\.safetensors train fc1\.weight, fc1\.bias, fc2\.weight, fc2\.bias\nparameter fc1\.weight \[64, 128\]\nslot fc1\.weight\.exp_avg \[64, 128\]\n/,
    ],
    ['digitsFolder', /^digits\/train: 416 pictures\ndigits\/test: 400 pictures\n$/],
    [
      'train',
      /^logit-adjustment: balanced accuracy \d\.\d{3}\nce\+inverse: balanced accuracy \d\.\d{3}\nwith logit-adjustment, .*; class \d has only 1 sample/,
    ],
  ])('and the example %s runs', (name, printed) => {
    const tsx = join(ROOT, 'node_modules/tsx/dist/cli.mjs');
    const output = execFileSync(process.execPath, [tsx, join(ROOT, `examples/${name}.ts`)], {
      cwd: workplace(),
      encoding: 'utf8',
    });
    expect(output).toMatch(printed);
  });

  it('stays short', () => {
    expect(README.split('\n').length).toBeLessThan(200);
  });
});
