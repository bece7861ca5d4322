import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LossgraftError } from '../../errors.ts';
import { isRecord } from '../../isRecord.ts';

/** Where the dynamic linker looks. */
export interface SearchPath {
  /** LD_LIBRARY_PATH, split. */
  readonly environment: readonly string[];
  /** Name to path, from the linker's cache. */
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

/** Finds a library by name as ld.so(8) does: LD_LIBRARY_PATH, the cache, the default folders. */
export function findLibrary(name: string, search: SearchPath): string | undefined {
  const inFolders = (folders: readonly string[]): string | undefined =>
    folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
  return inFolders(search.environment) ?? search.cache.get(name) ?? inFolders(search.defaults);
}

/** A direct or indirect dependency of a library. */
export interface Dependency {
  readonly name: string;
  /** `undefined` if it is missing. */
  readonly path: string | undefined;
}

/**
 * All direct and indirect dependencies of the library at `path`, as the dynamic linker finds them: ldd(1).
 *
 * @throws LossgraftError `not-a-library` if the file is not a library for this machine, or ldd is missing.
 */
export async function dependencies(
  path: string,
  { environment }: Pick<SearchPath, 'environment'>,
): Promise<Dependency[]> {
  const env = { ...process.env, LC_ALL: 'C', LD_LIBRARY_PATH: environment.join(':') };
  const { stdout } = await promisify(execFile)('ldd', [path], { env }).catch((error: unknown) => {
    throw notALibrary(path, error);
  });
  const lines = stdout.matchAll(/^\s+(\S+) => (?:(\/.*?) \(0x[0-9a-f]+\)|not found)$/gm);
  return [...lines].map(([, name = '', at]) => ({ name, path: at }));
}

function notALibrary(path: string, error: unknown): LossgraftError {
  const said = ['stdout', 'stderr'].map((key) => (isRecord(error) ? String(error[key] ?? '').trim() : ''));
  const found = said.filter(Boolean).join(', ') || (error instanceof Error ? error.message : String(error));
  return new LossgraftError({
    code: 'not-a-library',
    where: path,
    expected: 'a shared library for this machine, readable by ldd',
    found,
    hint: 'The file is damaged or built for another system; reinstall it',
  });
}
