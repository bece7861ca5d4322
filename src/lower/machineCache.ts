import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { replaceFile } from '../files/whole.ts';
import { runtimeVersion } from '../runtime/session.ts';
import { VERSION } from '../version.ts';

/**
 * Where findings about this machine are kept from run to run: under XDG_CACHE_HOME, or ~/.cache. `undefined` for a user without a home:
 * then they are found out in each run.
 */
export function cacheFile(name: string): string | undefined {
  const folder = [() => process.env.XDG_CACHE_HOME ?? '', () => join(homedir(), '.cache')].map(orNone).find(isAbsolute);
  return folder && join(folder, 'lossgraft', name);
}

/** A user that the system has no record of has no home, and asking for it fails. */
function orNone(folder: () => string): string {
  try {
    return folder();
  } catch {
    return '';
  }
}

/** Whoever else computes may find other numbers. */
export function machineKey(): string {
  return `lossgraft ${VERSION}, onnxruntime-node ${runtimeVersion}, ${cpus()[0]?.model ?? process.arch}`;
}

export function readCache<Value>(file: string | undefined): Record<string, Value> {
  if (file === undefined) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Not there yet, or broken by a crash: it is found out again.
    return {};
  }
}

/** A folder that cannot be written costs some seconds at each start, and no more. @param most of several, the newest stay. */
export function addToCache<Value>(
  file: string | undefined,
  key: string,
  found: Value,
  most: number = Number.POSITIVE_INFINITY,
): void {
  if (file === undefined) return;
  try {
    mkdirSync(dirname(file), { recursive: true });
    const { [key]: _older, ...others } = readCache<Value>(file);
    const kept = [...Object.entries(others), [key, found] as const].slice(-most);
    replaceFile(file, (temporary) => writeFileSync(temporary, JSON.stringify(Object.fromEntries(kept), null, 1)));
  } catch {}
}
