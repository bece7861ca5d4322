import jsonc from 'jsonc-parser';

/** Keys in Hugging Face's config.json that may count labels. */
const COUNTS: readonly string[] = ['num_labels', '_num_labels', 'num_classes'];

/**
 * The text of a Hugging Face config.json with other classes: `id2label`, `label2id`, and label counts if present. Everything else stays
 * as written.
 */
export function configFor(text: string, names: readonly string[]): string {
  const held: unknown = jsonc.parse(text);
  const keys = new Set(typeof held === 'object' && held !== null ? Object.keys(held) : []);
  const values: [string, unknown][] = [
    ['id2label', Object.fromEntries(names.map((name, k) => [k, name]))],
    ['label2id', Object.fromEntries(names.map((name, k) => [name, k]))],
    ...COUNTS.filter((key) => keys.has(key)).map((key): [string, number] => [key, names.length]),
    ...(keys.has('label_names') ? [['label_names', names] as [string, unknown]] : []),
  ];
  const formattingOptions = { insertSpaces: true, tabSize: indentOf(text), eol: text.includes('\r\n') ? '\r\n' : '\n' };
  return values.reduce((current, [key, value]) => {
    return jsonc.applyEdits(current, jsonc.modify(current, [key], value, { formattingOptions }));
  }, text);
}

function indentOf(text: string): number {
  return /\n( +)"/.exec(text)?.[1]?.length ?? 2;
}
