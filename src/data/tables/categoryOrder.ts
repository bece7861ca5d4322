import { isRecord } from '../../isRecord.ts';
import { readText } from '../counts.ts';

/** Parses `size=S,M,L;colour=red,blue`, or a .json file with such an object. @returns `undefined` for anything else. */
export function readCategoryOrder(given: string): Record<string, readonly string[]> | undefined {
  if (/\.json$/i.test(given)) return inFile(given);
  const pairs = given.split(';').map((part): [string, readonly string[]] => {
    const at = part.indexOf('=');
    return [part.slice(0, Math.max(0, at)).trim(), part.slice(at + 1).split(',')];
  });
  return pairs.every(([name]) => name !== '') ? Object.fromEntries(pairs) : undefined;
}

function inFile(path: string): Record<string, readonly string[]> | undefined {
  const text = readText(path);
  try {
    const found: unknown = JSON.parse(text);
    const isWhole = isRecord(found) && Object.values(found).every((list) => Array.isArray(list));
    if (!isWhole) return undefined;
    return Object.fromEntries(Object.entries(found).map(([name, list]) => [name, (list as unknown[]).map(String)]));
  } catch {
    return undefined;
  }
}
