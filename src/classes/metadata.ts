import { MANIFEST_KEY } from '../manifest.ts';
import type { ModelProto } from '../onnx/types.ts';
import { parseLiteral } from './literal.ts';
import { namesInText } from './names.ts';

/** Exporters' metadata keys for class names, without case and punctuation. */
const KEYS: readonly string[] = [
  'names',
  'classes',
  'classnames',
  'classlabels',
  'labels',
  'labelnames',
  'id2label',
  'label2id',
  'categories',
];
/** Their keys for the number of classes. */
const COUNTS: readonly string[] = ['nc', 'numclasses', 'numlabels', 'classcount'];

/** Class names that a file's metadata hold. */
export interface MetadataNames {
  readonly key: string;
  readonly names: readonly string[];
  /** Whether it is a dictionary from name to index. */
  readonly isByName: boolean;
  /** The first of several counts. */
  readonly place: number;
}

/** All entries of metadata that name classes. `classes`: how many a list without brackets must have. */
export function metadataNames({ metadata }: ModelProto, classes: number | undefined): MetadataNames[] {
  const found = [...metadata].flatMap(([key, text]): MetadataNames[] => {
    const place = key === MANIFEST_KEY ? -1 : KEYS.indexOf(plain(key));
    const isByName = KEYS[place] === 'label2id';
    const names = place < 0 ? undefined : namesInText(text, classes, isByName);
    return names === undefined ? [] : [{ key, names, isByName, place }];
  });
  return found.sort((a, b) => a.place - b.place);
}

/** The metadata entries that name or count a model's classes, rewritten for other classes, each in its own form. */
export function metadataFor(proto: ModelProto, before: number, names: readonly string[]): Map<string, string> {
  const named = metadataNames(proto, before).map(({ key, isByName }): [string, string] => {
    return [key, written(proto.metadata.get(key) ?? '', names, isByName)];
  });
  const counted = [...proto.metadata].flatMap(([key, text]): [string, string][] =>
    COUNTS.includes(plain(key)) && text.trim() === String(before) ? [[key, String(names.length)]] : [],
  );
  return new Map([...named, ...counted]);
}

function plain(key: string): string {
  return key.toLowerCase().replace(/[^a-z\d]/g, '');
}

/** JSON, Python's `repr`, lines, or comma-separated, like the old text. */
function written(text: string, names: readonly string[], isByName: boolean): string {
  const literal = parseLiteral(text);
  if (literal === undefined) {
    const separator = text.includes('\n') ? '\n' : (/,\s*/.exec(text)?.[0] ?? ',');
    const isPlain = names.every((name) => !name.includes(separator.trim() || '\n') && name === name.trim());
    return isPlain ? names.join(separator) : JSON.stringify(names);
  }
  const quote = isJson(text) ? (name: string): string => JSON.stringify(name) : repr;
  if (literal instanceof Map)
    return `{${entriesOf(literal, names, isByName, { quote, isJson: isJson(text) }).join(', ')}}`;
  const [open, close] = text.trim().startsWith('(') ? '()' : '[]';
  return `${open}${names.map(quote).join(', ')}${close}`;
}

function entriesOf(
  before: ReadonlyMap<string | number, string | number>,
  names: readonly string[],
  isByName: boolean,
  { quote, isJson }: { readonly quote: (name: string) => string; readonly isJson: boolean },
): string[] {
  const [[key, value] = [0, '']] = before;
  // The key of the dictionary tells which side is the name; otherwise its content does.
  const turned = isByName || (typeof value === 'number' && !/^\d+$/.test(String(key)));
  const index = (k: number, old: unknown): string => (typeof old === 'string' ? quote(String(k)) : String(k));
  return names.map((name, k) => {
    if (turned) return `${quote(name)}: ${index(k, value)}`;
    return `${isJson ? quote(String(k)) : index(k, key)}: ${quote(name)}`;
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A text as a Python literal. */
function repr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('\t', '\\t').replaceAll('\r', '\\r');
  return `${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`;
}
