import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';

/**
 * The folders of cases in and below `dirs`, in order and each once. A case contains a `case.json`, or a `model.onnx` and its data; its
 * subfolders are not searched.
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
  const names = readdirSync(dir);
  const hasModel = names.includes('model.onnx');
  const hasData = names.some((name) => name.startsWith('test_data_set_'));
  if (names.includes('case.json') || (hasModel && hasData)) return [dir];
  const folders = names.map((name) => join(dir, name)).filter(isFolder);
  const below = folders.sort().flatMap((path) => casesBelow(path, seen));
  // A model shared by cases lies above them; one without any is a case without data.
  return below.length === 0 && hasModel ? [dir] : below;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function notThere(code: ErrorCode, where: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code, where, expected: 'a folder with validation cases', found, hint });
}
