import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError, option } from '../errors.ts';
import { nearestNames } from '../ir/nearestNames.ts';
import type { CompleteOptions, OptionsOf, Row, Rows } from './row.ts';

/** `focalScale` → `focal-scale` */
export function kebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The flag of an option: `--class-counts`, or `-o` if there is nothing longer. */
export function flagOf(key: string, row?: Row): string {
  return `--${typeof row?.flag === 'string' ? row.flag : kebabCase(key)}`;
}

/**
 * Checks the options of a verb by its table; `undefined` counts as not given.
 *
 * @param isElsewhere whether something else, such as a loss, declares a key that the table lacks.
 * @throws LossgraftError `unknown-option`, `missing-option`, `option-kind`, `option-range` or `option-conflict`.
 */
export function checkOptions(rows: Rows, given: object, isElsewhere: (key: string) => boolean = () => false): void {
  for (const [key, value] of entriesOf(given)) {
    const row = rowOf(rows, key);
    if (row !== undefined) checkValue(key, row, value);
    else if (!isElsewhere(key)) throw unknownOption(key, Object.keys(rows), `option ${key}`);
  }
  const values = new Map(entriesOf(given));
  for (const [key, row] of Object.entries(rows)) {
    if (row.required && !values.has(key)) throw missing(key, row);
    const other = values.has(key) ? row.excludes?.find((excluded) => isMet(excluded, values)) : undefined;
    if (other !== undefined) throw conflict(key, other);
  }
}

/**
 * Refuses options that would do nothing without another one that is missing.
 *
 * @param effective the final values, if they may come from elsewhere than `given`.
 * @throws LossgraftError `option-range`
 */
export function checkNeeds(rows: Rows, given: object, effective: object = given): void {
  const values = new Map(entriesOf(effective));
  for (const [key] of entriesOf(given)) {
    const needed = rowOf(rows, key)?.needs;
    if (needed === undefined || isMet(needed, values)) continue;
    throw badOption(key, `to be left out without ${needShown(needed)}`, 'it');
  }
}

/** Whether an option counts, `imbalance`, or has a value, `schedule=step`. */
function isMet(need: string, values: ReadonlyMap<string, unknown>): boolean {
  const [key = '', wanted] = need.split('=');
  const found = values.get(key);
  return wanted === undefined ? found !== undefined && found !== 0 && found !== false : found === wanted;
}

function needShown(need: string): string {
  const [key = '', wanted] = need.split('=');
  return option(key, wanted);
}

/** The given options that a table declares. */
export function pick<T extends Rows, O extends object>(rows: T, given: O): Pick<O, Extract<keyof T, keyof O>> {
  const own = entriesOf(given).filter(([key]) => Object.hasOwn(rows, key));
  return Object.fromEntries(own) as Pick<O, Extract<keyof T, keyof O>>;
}

/** The given options that a table declares, and the defaults of the others. */
export function complete<T extends Rows>(rows: T, given: OptionsOf<T>): CompleteOptions<T> {
  const defaults = Object.entries(rows).map(([key, row]) => [key, defaultOf(row)] as const);
  const known = defaults.filter(([, value]) => value !== undefined);
  return { ...Object.fromEntries(known), ...pick(rows, given) } as CompleteOptions<T>;
}

/** The options that a resumed run must repeat, with their given or default values. */
export function ownSettings(rows: Rows, given: object): Readonly<Record<string, unknown>> {
  const values = new Map(entriesOf(given));
  const own = Object.entries(rows).filter(([, { settings }]) => settings === 'own');
  return Object.fromEntries(own.map(([key, row]) => [key, values.get(key) ?? defaultOf(row)]));
}

function defaultOf(row: Row): unknown {
  return 'default' in row ? row.default : undefined;
}

function entriesOf(given: object): [key: string, value: unknown][] {
  return Object.entries(given).filter(([, value]) => value !== undefined);
}

function rowOf(rows: Rows, key: string): Row | undefined {
  return Object.hasOwn(rows, key) ? rows[key] : undefined;
}

function checkValue(key: string, row: Row, value: unknown): void {
  const bad = (code: ErrorCode, expected: string): LossgraftError => refused(code, key, row, expected, value);
  switch (row.kind) {
    case 'number':
      if (typeof value !== 'number') throw bad('option-kind', row.expects);
      if (!Number.isFinite(value) || !row.accepts(value)) throw bad('option-range', row.expects);
      return;
    case 'flag':
      if (typeof value !== 'boolean') throw bad('option-kind', 'true or false');
      return;
    case 'choice':
      if (!row.choices.some((each) => each === value)) throw bad('option-range', `one of ${row.choices.join(', ')}`);
      return;
    case 'group':
      if (typeof value !== 'object' || value === null) throw bad('option-kind', Object.keys(row.rows).join(', '));
      checkOptions(row.rows, value);
      return;
    case 'value':
      if (!row.accepts(value)) throw bad('option-kind', row.expects);
  }
}

function refused(code: ErrorCode, key: string, row: Row, expected: string, value: unknown): LossgraftError {
  const found = typeof value === 'string' ? `"${value}"` : shown(value);
  const known = defaultOf(row);
  const hint = known === undefined ? 'Correct or omit it' : `The default is ${known}`;
  return new LossgraftError({ code, where: `option ${key}`, expected, found, hint });
}

function shown(value: unknown): string {
  if (typeof value === 'object') return JSON.stringify(value);
  return typeof value === 'function' ? 'a function' : String(value);
}

export function badOption(key: string, expected: string, found: unknown): LossgraftError {
  return new LossgraftError({
    code: 'option-range',
    where: `option ${key}`,
    expected,
    found: String(found),
    hint: 'Correct or omit it',
  });
}

function missing(key: string, row: Row): LossgraftError {
  return new LossgraftError({
    code: 'missing-option',
    where: `option ${key}`,
    expected: 'expects' in row ? row.expects : 'a value',
    found: 'nothing',
    hint: 'Give it',
  });
}

function conflict(key: string, other: string): LossgraftError {
  return new LossgraftError({
    code: 'option-conflict',
    where: `option ${key}`,
    expected: `either ${option(key)} or ${needShown(other)}`,
    found: 'both',
    hint: 'Omit one of them',
  });
}

/** @param where the declarer of the known ones, for messages. */
export function unknownOption(name: string, known: readonly string[], where: string): LossgraftError {
  const [nearest] = nearestNames(name, known);
  return new LossgraftError({
    code: 'unknown-option',
    where,
    expected: known.length > 0 ? `one of its options: ${known.join(', ')}` : 'no option: it has none',
    found: `"${name}"`,
    hint: nearest === undefined ? 'Leave it out' : `Omit it, or did you mean ${nearest}`,
  });
}
