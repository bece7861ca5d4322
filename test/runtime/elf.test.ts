import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readElf } from '../../src/runtime/cuda/elf.ts';
import { binaryFolder, runtimeFolder } from '../../src/runtime/cuda/isolated.ts';
import { dependencies, findLibrary, systemSearchPath } from '../../src/runtime/cuda/libraries.ts';
import { needsBinutils } from './tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'lossgraft-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ours = ['libonnxruntime.so.1', 'onnxruntime_binding.node'].map((name) =>
  join(binaryFolder(runtimeFolder()), name),
);

/** What binutils' readelf reads, as the reference. */
function reference(path: string): { soname: string | undefined; needed: string[]; runpath: string[] } {
  const text = execFileSync('readelf', ['-dW', path], { encoding: 'utf8' });
  const all = (tag: string): string[] =>
    [...text.matchAll(new RegExp(`\\(${tag}\\).*\\[(.*)\\]`, 'g'))].map(([, name = '']) => name);
  const runpath = [...all('RUNPATH'), ...all('RPATH')].flatMap((paths) => paths.split(':'));
  return { soname: all('SONAME')[0], needed: all('NEEDED'), runpath };
}

describe('readElf', needsBinutils, () => {
  it.each([process.execPath, '/lib/x86_64-linux-gnu/libc.so.6', '/lib/x86_64-linux-gnu/libm.so.6', ...ours])(
    'reads %s as readelf does',
    async (path) => {
      expect(await readElf(path)).toEqual({ machine: 'x86-64', ...reference(path) });
    },
  );

  it('reads RUNPATH and RPATH of a library made for it', async () => {
    for (const [name, flag] of [
      ['new', '--enable-new-dtags'],
      ['old', '--disable-new-dtags'],
    ] as const) {
      const path = join(folder, `lib${name}.so`);
      const flags = [
        '-shared',
        '-nostdlib',
        '-x',
        'c',
        '/dev/null',
        `-Wl,${flag},-rpath,$ORIGIN/a:/b,-soname,lib${name}.so.3`,
      ];
      execFileSync('gcc', [...flags, '-o', path]);
      expect(await readElf(path)).toMatchObject({
        soname: `lib${name}.so.3`,
        runpath: ['$ORIGIN/a', '/b'],
        needed: [],
      });
    }
  });

  it.each([
    ['no ELF signature', Buffer.alloc(64, 'text')],
    ['another ELF class', Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1]), Buffer.alloc(58)])],
    ['the end of the file', readFileSync(ours[1] ?? '').subarray(0, 100)],
    ['the end of the file', Buffer.from([0x7f, 0x45])],
  ])('refuses a file with %s', async (found, bytes) => {
    const path = join(folder, 'broken.so');
    writeFileSync(path, bytes);
    await expect(readElf(path)).rejects.toMatchObject({
      code: 'not-elf',
      problem: { found: expect.stringContaining(found) },
    });
  });
});

describe('dependencies', needsBinutils, () => {
  it('finds what ldd finds', async () => {
    const [library = ''] = ours;
    const ldd = execFileSync('ldd', [library], { encoding: 'utf8' });
    const found = await dependencies(library, await systemSearchPath(''));
    const names = [...ldd.matchAll(/^\s+(\S+) => \//gm)].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(3);
    expect(new Set(found.filter(({ name }) => !name.startsWith('ld-linux')).map(({ name }) => name))).toEqual(
      new Set(names),
    );
    expect(found.filter(({ path }) => path === undefined)).toEqual([]);
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
    const search = { environment: [], cache: new Map<string, string>(), defaults: [] };
    expect(await dependencies(first, search)).toEqual([
      { name: 'libmiddle.so', neededBy: first, path: middle },
      { name: 'liblast.so', neededBy: middle, path: undefined },
    ]);
  });

  it('looks in LD_LIBRARY_PATH, then RUNPATH, then the cache, then the default folders', () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => mkdtempSync(join(folder, name)));
    if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error('no folders');
    for (const place of [a, b, c, d]) writeFileSync(join(place, 'libx.so'), '');
    const search = { environment: [a], cache: new Map([['libx.so', join(c, 'libx.so')]]), defaults: [d] };
    expect(findLibrary('libx.so', search, [b])).toBe(join(a, 'libx.so'));
    expect(findLibrary('libx.so', { ...search, environment: [] }, [b])).toBe(join(b, 'libx.so'));
    expect(findLibrary('libx.so', { ...search, environment: [] })).toBe(join(c, 'libx.so'));
    expect(findLibrary('libx.so', { ...search, environment: [], cache: new Map() })).toBe(join(d, 'libx.so'));
    expect(findLibrary('liby.so', search)).toBeUndefined();
  });
});
