import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { readElf } from './elf.ts';

/** Where the dynamic linker would look, besides a library's own RUNPATH. */
export interface SearchPath {
  /** LD_LIBRARY_PATH, split. */
  readonly environment: readonly string[];
  /** Name to path, as the linker's cache has it. */
  readonly cache: ReadonlyMap<string, string>;
  readonly defaults: readonly string[];
}

/** The search path of this machine. */
export async function systemSearchPath(
  libraryPath: string | undefined = process.env.LD_LIBRARY_PATH,
): Promise<SearchPath> {
  return {
    environment: (libraryPath ?? '').split(':').filter((folder) => folder !== ''),
    cache: await linkerCache(),
    defaults: ['/lib64', '/usr/lib64', '/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/lib', '/usr/lib'],
  };
}

async function linkerCache(): Promise<ReadonlyMap<string, string>> {
  for (const command of ['/sbin/ldconfig', '/usr/sbin/ldconfig', 'ldconfig']) {
    try {
      const { stdout } = await promisify(execFile)(command, ['-p'], { maxBuffer: 1 << 26 });
      const lines = stdout.matchAll(/^\s+(\S+) \(libc6,x86-64[^)]*\) => (.+)$/gm);
      return new Map([...lines].reverse().map(([, name = '', path = '']) => [name, path]));
    } catch {
      // not there: the next name
    }
  }
  return new Map();
}

/** Finds a library by name as ld.so(8) does: LD_LIBRARY_PATH, RUNPATH, the cache, the default folders. */
export function findLibrary(name: string, search: SearchPath, runpath: readonly string[] = []): string | undefined {
  const inFolders = (folders: readonly string[]): string | undefined =>
    folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  return inFolders([...search.environment, ...runpath]) ?? search.cache.get(name) ?? inFolders(search.defaults);
}

/** A library that another one needs. */
export interface Dependency {
  readonly name: string;
  readonly neededBy: string;
  /** `undefined` where it is missing. */
  readonly path: string | undefined;
}

/**
 * Everything that the library at `path` needs, with what those need in turn, in the order in which the linker looks for them.
 *
 * @throws LossgraftError where one of the files is not a library for this processor.
 */
export async function dependencies(path: string, search: SearchPath): Promise<Dependency[]> {
  const found = new Map<string, Dependency>();
  const queue = [path];
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const library = await readElf(file);
    const origin = dirname(file);
    const runpath = library.runpath.map((folder) => folder.replaceAll(/\$ORIGIN|\$\{ORIGIN\}/g, origin));
    for (const name of library.needed) {
      if (found.has(name)) continue;
      const at = findLibrary(name, search, runpath);
      found.set(name, { name, neededBy: file, path: at });
      if (at !== undefined) queue.push(at);
    }
  }
  return [...found.values()];
}
