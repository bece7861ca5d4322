import { readFileSync } from 'node:fs';
import { LossgraftError } from '../errors.ts';
import { namesIn } from './names.ts';

/**
 * Class names from a list `a,b,c`, or a file: .txt with one name a line, or .json with a list, a dictionary from index to name, or an
 * object that has one as `id2label` or `names`, such as Hugging Face's config.json.
 *
 * @throws LossgraftError `class-names-file` if a file holds no names.
 */
export function readClassNames(source: string): readonly string[] {
  if (!/\.(txt|json)$/i.test(source)) return source.split(',');
  const names = /\.json$/i.test(source) ? fromJson(source) : fromLines(source);
  if (names !== undefined && names.length > 0) return names;
  throw unreadable(source, 'something else');
}

function fromLines(path: string): string[] {
  const lines = read(path).split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

function fromJson(path: string): string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(read(path));
  } catch (cause) {
    if (cause instanceof LossgraftError) throw cause;
    throw unreadable(path, 'no JSON', cause);
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const held: Readonly<Record<string, unknown>> = { ...value };
  return namesIn(held.id2label) ?? namesIn(held.names) ?? namesIn(held.label2id, true) ?? namesIn(value);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '');
  } catch (cause) {
    throw unreadable(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function unreadable(where: string, found: string, cause?: unknown): LossgraftError {
  return new LossgraftError({
    code: 'class-names-file',
    where,
    expected: 'class names: one per line in a .txt, or in a .json a list or an object from index to name',
    found,
    hint: 'Correct the file, or list the names: a,b,c',
    cause,
  });
}
