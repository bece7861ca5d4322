import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { binaryFolder, runtimeFolder } from '../../src/runtime/device/isolated.ts';
import { dependencies, findLibrary } from '../../src/runtime/device/libraries.ts';
import { needsBinutils } from './tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'lossgraft-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ours = ['libonnxruntime.so.1', 'onnxruntime_binding.node'].map((name) =>
  join(binaryFolder(runtimeFolder()), name),
);

describe('dependencies', needsBinutils, () => {
  it('are all there for ONNX Runtime on this machine', async () => {
    for (const library of ours) {
      const found = await dependencies(library, { environment: [] });
      expect(found.map(({ name }) => name)).toContain('libc.so.6');
      expect(found.filter(({ path }) => path === undefined || !existsSync(path))).toEqual([]);
    }
  });

  it.each([
    ['no library', 'text', /not a dynamic executable/],
    ['no file', undefined, /No such file/],
  ])('of %s are refused', async (_what, content, found) => {
    const path = join(folder, 'broken.so');
    rmSync(path, { force: true });
    if (content !== undefined) writeFileSync(path, content);
    const error: unknown = await dependencies(path, { environment: [] }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'not-a-library', problem: { found: expect.stringMatching(found) } });
  });

  it('follows what the needed libraries need, and names the one that is missing', async () => {
    const build = (name: string, ...flags: string[]): string => {
      const path = join(folder, name);
      const common = [
        '-shared',
        '-nostdlib',
        '-Wl,--no-as-needed',
        `-Wl,-soname,${name}`,
        '-x',
        'c',
        '/dev/null',
        '-x',
        'none',
      ];
      execFileSync('gcc', [...common, ...flags, '-o', path]);
      return path;
    };
    const last = build('liblast.so');
    const middle = build('libmiddle.so', last);
    const first = build('libfirst.so', middle, '-Wl,-rpath,$ORIGIN');
    rmSync(last);
    expect(await dependencies(first, { environment: [] })).toEqual([
      { name: 'libmiddle.so', path: middle },
      { name: 'liblast.so', path: undefined },
    ]);
    build('liblast.so');
    expect(await dependencies(middle, { environment: [folder] })).toEqual([{ name: 'liblast.so', path: last }]);
  });

  it('looks in LD_LIBRARY_PATH, then the cache, then the default folders', () => {
    const [a = '', c = '', d = ''] = ['a', 'c', 'd'].map((name) => mkdtempSync(join(folder, name)));
    for (const place of [a, c, d]) writeFileSync(join(place, 'libx.so'), '');
    const search = { environment: [a], cache: new Map([['libx.so', join(c, 'libx.so')]]), defaults: [d] };
    expect(findLibrary('libx.so', search)).toBe(join(a, 'libx.so'));
    expect(findLibrary('libx.so', { ...search, environment: [] })).toBe(join(c, 'libx.so'));
    expect(findLibrary('libx.so', { ...search, environment: [], cache: new Map() })).toBe(join(d, 'libx.so'));
    expect(findLibrary('liby.so', search)).toBeUndefined();
  });
});
