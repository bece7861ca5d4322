import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { LossgraftError } from '../errors.ts';

/**
 * The folders of cases in and below `dirs`, in order and each once. A case holds a `case.json` or a `model.onnx`; nothing is
 * looked for inside it.
 *
 * @throws LossgraftError `folder-not-found`, or `no-case` naming a folder without any.
 */
export function findCases(dirs: readonly string[]): string[] {
  const found = new Map<string, string>();
  for (const dir of dirs) {
    if (!existsSync(dir) || !statSync(dir).isDirectory()) {
      throw notThere('folder-not-found', dir, existsSync(dir) ? 'a file' : 'nothing there', 'Check the path');
    }
    const cases = casesBelow(dir, new Set());
    if (cases.length === 0) {
      const hint = 'A case is a folder with model.onnx (or case.json) and test_data_set_0/{input,output}_0.pb';
      throw notThere('no-case', dir, 'none in it', hint);
    }
    for (const path of cases) found.set(realpathSync(path), path);
  }
  return [...found.values()];
}

function casesBelow(dir: string, seen: Set<string>): string[] {
  const real = realpathSync(dir);
  if (seen.has(real)) return [];
  seen.add(real);
  if (existsSync(join(dir, 'case.json')) || existsSync(join(dir, 'model.onnx'))) return [dir];
  const folders = readdirSync(dir)
    .map((name) => join(dir, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory());
  return folders.sort().flatMap((path) => casesBelow(path, seen));
}

function notThere(code: string, where: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code, where, expected: 'a folder with validation cases', found, hint });
}
