import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { losses, optimizers } from '../../src/catalogue.ts';
import { lossgraft, temporaryFolder } from '../support/cli.ts';
import { needs } from '../support/needs.ts';

const has = (shell: string): boolean => spawnSync(shell, ['-c', 'exit 0']).status === 0;

/** The script of a shell, in a folder of its own. */
async function scriptOf(shell: string): Promise<{ folder: string; script: string }> {
  const { code, stdout } = await lossgraft(['completion', shell]);
  expect(code).toBe(0);
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'script'), stdout);
  writeFileSync(join(folder, 'model.onnx'), '');
  return { folder, script: stdout };
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

describe('completion', () => {
  it('bash completes commands, options of a command, and their values', async () => {
    const { folder } = await scriptOf('bash');
    const complete = (...line: string[]): string[] => {
      const act = `source ./script; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _lossgraft; echo "\${COMPREPLY[@]}"`;
      return words(execFileSync('bash', ['-c', act, 'bash', ...line], { cwd: folder, encoding: 'utf8' }));
    };
    expect(complete('lossgraft', 'tra')).toEqual(['train-graph', 'train']);
    expect(complete('lossgraft', 'train', '--loss', '')).toEqual(Object.keys(losses));
    expect(complete('lossgraft', 'train', '--loss', '=', 'ib')).toEqual(
      Object.keys(losses).filter((name) => name.startsWith('ib')),
    );
    expect(complete('lossgraft', 'train', '--optimizer', '=')).toEqual(Object.keys(optimizers));
    expect(complete('lossgraft', 'train', '--focal-s')).toEqual(['--focal-scale']);
    expect(complete('lossgraft', 'inspect', '--focal-s')).toEqual([]);
    expect(complete('lossgraft', 'completion', '')).toEqual(['bash', 'zsh', 'fish']);
    // Nothing of ours: bash then offers files.
    expect(complete('lossgraft', 'train', '--data', '')).toEqual([]);
    expect(complete('lossgraft', 'train', 'mo')).toEqual([]);
    // The short help's options, and all others.
    const { stdout } = await lossgraft(['train', '--help-all']);
    const flags = [...new Set([...stdout.matchAll(/^ +(?:-\w, )?(--[a-z][\w-]*)/gm)].map(([, flag]) => flag))];
    expect(complete('lossgraft', 'train', '--').sort()).toEqual(flags.sort());
  });

  it('fish does, too', needs(has('fish'), 'fish'), async () => {
    const { folder } = await scriptOf('fish');
    const complete = (line: string): string[] => {
      const act = `source script; complete -C ${JSON.stringify(line)}`;
      const found = execFileSync('fish', ['--no-config', '-c', act], { cwd: folder, encoding: 'utf8' });
      return found.split('\n').flatMap((each) => (each === '' ? [] : [each.split('\t')[0] ?? '']));
    };
    expect(complete('lossgraft tra')).toEqual(['train', 'train-graph']);
    expect(complete('lossgraft train --loss ').sort()).toEqual(Object.keys(losses).sort());
    expect(complete('lossgraft train --focal-s')).toEqual(['--focal-scale']);
    expect(complete('lossgraft train --data mod')).toEqual(['model.onnx']);
    expect(complete('lossgraft train --epochs ')).toEqual([]);
  });

  it('and zsh, which is handed what it asks for', needs(has('zsh'), 'zsh'), async () => {
    const { folder } = await scriptOf('zsh');
    const ask = (...line: string[]): string[] => {
      const stubs = `compdef() { :; }; _arguments() { print -rl -- "$@"; }; _describe() { print -rl -- "\${(P@)2}"; }`;
      const act = `${stubs}; source ./script; words=("$@"); CURRENT=$#; _lossgraft`;
      return execFileSync('zsh', ['-fc', act, 'zsh', ...line], { cwd: folder, encoding: 'utf8' })
        .trim()
        .split('\n');
    };
    expect(ask('lossgraft', 'tra')).toContainEqual(expect.stringMatching(/^train:Fine-tune a classifier, /));
    const specs = ask('lossgraft', 'train', '');
    expect(specs).toContain(`--loss=[Which loss]:value:(${Object.keys(losses).join(' ')})`);
    expect(specs).toContainEqual(expect.stringMatching(/^--data=\[.*\]:file:_files$/));
    expect(specs).toContainEqual(expect.stringMatching(/^--epochs=\[.*\]:value: $/));
    expect(specs).toContainEqual(expect.stringMatching(/^--baseline\[.*\]$/));
    expect(specs).toContain('*:file:_files');
  });

  it('refuses another shell', async () => {
    const { code, stderr } = await lossgraft(['completion', 'tcsh']);
    expect(stderr).toMatch(/shell.*"tcsh".*"bash", "zsh", "fish"/s);
    expect(code).toBe(2);
  });
});
