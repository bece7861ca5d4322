import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { replaceFile } from '../files/whole.ts';
import { runtimeVersion } from '../runtime/session.ts';
import { VERSION } from '../version.ts';

/**
 * The folder of findings about this machine: under XDG_CACHE_HOME, or ~/.cache. `undefined` for a user without a home directory: then
 * every run determines them again.
 */
export function cacheFile(name: string): string | undefined {
  const folder = [() => process.env.XDG_CACHE_HOME ?? '', () => join(homedir(), '.cache')].map(orNone).find(isAbsolute);
  return folder && join(folder, 'lossgraft', name);
}

/** A user unknown to the system has no home directory, and asking for it fails. */
function orNone(folder: () => string): string {
  try {
    return folder();
  } catch {
    return '';
  }
}

/** Another runtime or processor may compute other numbers. */
export function machineKey(): string {
  return `lossgraft ${VERSION}, onnxruntime-node ${runtimeVersion}, ${cpus()[0]?.model ?? process.arch}`;
}

export function readCache<Value>(file: string | undefined): Record<string, Value> {
  if (file === undefined) return {};
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Missing, or broken by a crash: it is determined again.
    return {};
  }
}

/** A read-only folder only costs some seconds at each start. @param most how many of the newest stay. */
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
