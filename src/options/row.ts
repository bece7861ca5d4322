import { isRecord } from '../isRecord.ts';
/** A row holds everything about one option: type, check, default, flag, help. A verb's options are a table of rows. */
export type Row = NumberRow | FlagRow | ChoiceRow | ValueRow | GroupRow;

/** The options of a verb by key. */
export interface Rows {
  readonly [key: string]: Row;
}

/** The options of a resumable run: each row says whether a resumed run must repeat it. */
export interface RunRows {
  readonly [key: string]: Row & { readonly settings: NonNullable<About['settings']> };
}

/** The properties of a row beside its type. */
export interface About {
  /** Shown by plain `--help`; the others are shown by `--help-all`. */
  readonly first?: boolean;
  readonly required?: boolean;
  /** The flag, if it is not the key in kebab case; `false`: the command line has none. */
  readonly flag?: string | false;
  /** An input path, which the record of a run can find again. */
  readonly isInput?: boolean;
  /** May be given without a value, which is then an empty text. */
  readonly bare?: boolean;
  /** A letter, for `-o`. */
  readonly alias?: string;
  /** A positional argument; `many`: all of them. */
  readonly positional?: 'one' | 'many';
  /** The heading in the help. */
  readonly group?: string;
  /** Flags that stand for one value each. */
  readonly switches?: Readonly<Record<string, { readonly value: unknown; readonly describe: string }>>;
  /** Options without which this one would do nothing; with `=`, the value that they need: `schedule=step`. */
  readonly needs?: string;
  /** Options that contradict this one; with `=`, the value that does: `form=split`. */
  readonly excludes?: readonly string[];
  /**
   * Whether a run that is resumed must have the option as before: as it is (`own`), in what is made of it, such as the schedule (`within`),
   * or not at all, because the result does not depend on it (`none`).
   */
  readonly settings?: 'own' | 'within' | 'none';
  /** Its values are names of the catalogue. */
  readonly registry?: 'losses' | 'weightings' | 'optimizers';
  /** The last lines of the help, after the catalogue's. */
  readonly more?: string;
  /** The kinds of data that have the option. */
  readonly kinds?: readonly string[];
}

interface Described extends About {
  /** A phrase for the help. */
  readonly describe: string;
}

/** A finite number. */
export interface NumberRow extends Described {
  readonly kind: 'number';
  readonly default?: number;
  /** The allowed values, as a phrase and a test. */
  readonly expects: string;
  readonly accepts: (value: number) => boolean;
}

export interface FlagRow extends Described {
  readonly kind: 'flag';
  readonly default?: boolean;
}

export interface ChoiceRow<C extends string = string> extends Described {
  readonly kind: 'choice';
  readonly default?: C;
  readonly choices: readonly C[];
}

/** Anything else. */
export interface ValueRow<T = unknown> extends Described {
  readonly kind: 'value';
  readonly default?: T;
  /** The value in a program. */
  readonly expects: string;
  accepts(value: unknown): value is T;
  /** The text on the command line, as a phrase; `parse` returns its value, or `undefined`. Without them the value is the text itself. */
  readonly reads?: string;
  readonly parse?: (text: string) => T | undefined | Promise<T | undefined>;
}

/** Options grouped in one object; each has its own flag. */
export interface GroupRow<G extends Rows = Rows> extends Described {
  readonly kind: 'group';
  readonly rows: G;
}

/** The type of an option. */
export type ValueOf<R> = R extends { kind: 'number' }
  ? number
  : R extends { kind: 'flag' }
    ? boolean
    : R extends { kind: 'choice'; choices: readonly (infer C)[] }
      ? C
      : R extends { kind: 'group'; rows: infer G extends Rows }
        ? OptionsOf<G>
        : R extends { kind: 'value'; accepts(value: unknown): value is infer T }
          ? T
          : never;

type Required<T> = { [K in keyof T]: T[K] extends { required: true } ? K : never }[keyof T];
type Values<T> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** The options that a table declares. */
export type OptionsOf<T extends Rows> = Values<Pick<T, Required<T>>> & Partial<Values<Omit<T, Required<T>>>>;

type Defaulted<T> = { [K in keyof T]: T[K] extends { default: unknown } ? K : never }[keyof T];

/** The same, with options that have a default always present. */
export type CompleteOptions<T extends Rows> = Values<Pick<T, Required<T> | Defaulted<T>>> &
  Partial<Values<Omit<T, Required<T> | Defaulted<T>>>>;

export function number<const A extends About & { readonly default?: number }>(
  describe: string,
  expects: string,
  accepts: (value: number) => boolean,
  about: A,
): NumberRow & A {
  return { kind: 'number', describe, expects, accepts, ...about };
}

/** A whole number above 0. */
export function count<const A extends About & { readonly default?: number }>(
  describe: string,
  about: A,
): NumberRow & A {
  return number(describe, 'a whole number above 0', (value) => Number.isSafeInteger(value) && value > 0, about);
}

export function flag<const A extends About & { readonly default?: boolean }>(describe: string, about: A): FlagRow & A {
  return { kind: 'flag', describe, ...about };
}

export function choice<const C extends string, const A extends About & { readonly default?: C }>(
  choices: readonly C[],
  describe: string,
  about: A,
): ChoiceRow<C> & A {
  return { kind: 'choice', describe, choices, ...about };
}

export function text<const A extends About>(describe: string, about: A): ValueRow<string> & A {
  return value('a text', isText, describe, about);
}

/** Texts; on the command line `a,b,c`. */
export function texts<const A extends About>(describe: string, about: A): ValueRow<readonly string[]> & A {
  const isTexts = (given: unknown): given is readonly string[] => Array.isArray(given) && given.every(isText);
  return value('a list of texts', isTexts, describe, { parse: splitTexts, ...about });
}

/** Numbers; on the command line `1,2,3`. */
export function numbers<const A extends About>(describe: string, about: A): ValueRow<readonly number[]> & A {
  const expected = { reads: 'numbers separated by commas', parse: splitNumbers };
  return value('a list of numbers', isNumbers, describe, { ...expected, ...about });
}

/** New names by old ones; on the command line `a=b,c=d`. */
export function names<const A extends About>(
  describe: string,
  example: string,
  about: A,
): ValueRow<Readonly<Record<string, string>>> & A {
  const isNames = (given: unknown): given is Readonly<Record<string, string>> =>
    isRecord(given) && Object.values(given).every(isText);
  const reads = `NAME=NEW,… with each name once, for example ${example}`;
  return value('an object that gives new names to names', isNames, describe, { reads, parse: splitNames, ...about });
}

export function value<T, const A extends About & Partial<Pick<ValueRow<T>, 'default' | 'reads' | 'parse'>>>(
  expects: string,
  accepts: (given: unknown) => given is T,
  describe: string,
  about: A,
): ValueRow<T> & A {
  return { kind: 'value', describe, expects, accepts, ...about };
}

/** A function or an object that only a program can pass, and on which no result depends. */
export function given<T>(
  expects: string,
  accepts: (given: unknown) => boolean,
): ValueRow<T> & { readonly flag: false; readonly settings: 'none' } {
  return value(expects, accepts as (given: unknown) => given is T, '', { flag: false, settings: 'none' });
}

/** Aborts long work. Unless a verb says otherwise, it rejects with the signal's reason. */
export const signalRow = given<AbortSignal>('an AbortSignal', (signal) => signal instanceof AbortSignal);

export function group<const G extends Rows, const A extends About>(rows: G, about: A): GroupRow<G> & A {
  return { kind: 'group', describe: '', rows, ...about };
}

export function isText(given: unknown): given is string {
  return typeof given === 'string';
}

export function isNumbers(given: unknown): given is readonly number[] {
  return Array.isArray(given) && given.every((item) => typeof item === 'number');
}

export function isPositive(given: number): boolean {
  return given > 0;
}

/** 0, 1, 2, … */
export function isWhole(given: number): boolean {
  return Number.isSafeInteger(given) && given >= 0;
}

export function isFunction(given: unknown): boolean {
  return typeof given === 'function';
}

export function splitTexts(given: string): readonly string[] {
  return given.split(',').map((part) => part.trim());
}

export function splitNumbers(given: string): readonly number[] | undefined {
  const found = splitTexts(given).map((part) => (part === '' ? Number.NaN : Number(part)));
  return found.every(Number.isFinite) ? found : undefined;
}

/** `a=b,c=d` */
export function splitNames(given: string): Readonly<Record<string, string>> | undefined {
  const pairs = splitTexts(given).map((part) => part.split('=').map((side) => side.trim()));
  const isWhole = pairs.every((pair) => pair.length === 2 && pair.every((side) => side !== ''));
  const distinct = new Set(pairs.map(([name]) => name)).size === pairs.length;
  return isWhole && distinct ? (Object.fromEntries(pairs) as Record<string, string>) : undefined;
}
