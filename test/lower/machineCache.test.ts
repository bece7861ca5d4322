import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { addToCache, cacheFile, readCache } from '../../src/lower/machineCache.ts';
import { temporaryFolder } from '../support/cli.ts';

afterEach(() => vi.unstubAllEnvs());

describe('findings about the machine', () => {
  it('are kept under XDG_CACHE_HOME, else in the home', () => {
    vi.stubEnv('XDG_CACHE_HOME', '/cache');
    vi.stubEnv('HOME', '/home/someone');
    expect(cacheFile('a.json')).toBe('/cache/lossgraft/a.json');
    for (const unset of [undefined, '', 'relative']) {
      vi.stubEnv('XDG_CACHE_HOME', unset);
      expect(cacheFile('a.json')).toBe('/home/someone/.cache/lossgraft/a.json');
    }
  });

  it('are not kept where there is no home, nor where it cannot be written', () => {
    vi.stubEnv('XDG_CACHE_HOME', '');
    vi.stubEnv('HOME', '');
    expect(cacheFile('a.json')).toBeUndefined();
    for (const file of [undefined, join(process.execPath, 'lossgraft/a.json')]) {
      addToCache(file, 'key', 'found');
      expect(readCache(file)).toEqual({});
    }
    const file = join(temporaryFolder(), 'new/a.json');
    addToCache(file, 'key', 'found');
    expect(readCache(file)).toEqual({ key: 'found' });
  });
});
