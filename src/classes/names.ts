import { type Literal, parseLiteral } from './literal.ts';

/** The names of a model's classes, in the order of its scores. */
export interface ClassNames {
  readonly names: readonly string[];
  /** Where they were found, for messages. */
  readonly from: string;
  /** Placeholder names, such as LABEL_0, LABEL_1. */
  readonly arePlaceholders: boolean;
  /** Whether names that are whole numbers are what whole-number labels mean, as scikit-learn's `classes_`. */
  readonly areValues: boolean;
}

/** @param areValues see {@link ClassNames} */
export function classNames(names: readonly string[], from: string, areValues = false): ClassNames {
  return { names, from, areValues, arePlaceholders: names.every(isPlaceholder) };
}

/** The class names in a manifest. */
export function namesRecord(names: ClassNames | undefined): Readonly<Record<string, unknown>> {
  if (names === undefined) return {};
  return { classNames: names.names, ...(names.areValues ? { classesAreValues: true } : {}) };
}

function isPlaceholder(name: string, index: number): boolean {
  return name.replace(/^(label|class)[ _-]?/i, '') === String(index);
}

/**
 * Names by index from a list, a dictionary from index to name (`id2label`), or one from name to index (`label2id`).
 *
 * @param isByName whether a dictionary that could be either is from name to index.
 * @returns `undefined` for anything else, such as indices with a gap.
 */
export function namesIn(value: unknown, isByName = false): string[] | undefined {
  if (Array.isArray(value)) return value.length > 0 && value.every(isScalar) ? value.map(String) : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  const entries: [unknown, unknown][] = [...(value instanceof Map ? value : Object.entries(value))];
  const turned = entries.map(([key, name]): [unknown, unknown] => [name, key]);
  return isByName ? (ordered(turned) ?? ordered(entries)) : (ordered(entries) ?? ordered(turned));
}

/** Names in a text: JSON, Python's `repr`, or, if there are exactly `classes` of them, lines or comma-separated items. */
export function namesInText(text: string, classes: number | undefined, isByName = false): string[] | undefined {
  const literal: Literal | undefined = parseLiteral(text);
  if (literal !== undefined) return namesIn(literal, isByName);
  const separator = text.includes('\n') ? /\r?\n/ : ',';
  const parts = text.split(separator).map((part) => part.trim());
  const names = parts.filter((part) => part !== '');
  return names.length > 1 && names.length === classes ? names : undefined;
}

function isScalar(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

/** The values of the keys 0…n−1. */
function ordered(entries: readonly (readonly [unknown, unknown])[]): string[] | undefined {
  const names = new Map(entries.map(([key, name]) => [String(key), name]));
  const found = entries.map((_, index) => names.get(String(index)));
  return found.length > 0 && found.every(isScalar) ? found.map(String) : undefined;
}
