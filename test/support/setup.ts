import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Temporary files and what lossgraft keeps about the machine: in a folder of this run, gone when it ends. */
export function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'lossgraft-tests-'));
  process.env.TMPDIR = folder;
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  return () => rmSync(folder, { recursive: true, force: true });
}
