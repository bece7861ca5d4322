import { type ClassNames, classNames } from '../classes/names.ts';
import { LossgraftError, option } from '../errors.ts';
import { nearestNames } from '../ir/nearestNames.ts';

/** How the classes of a head are to change. */
export interface HeadOptions {
  /** `new`: all classes change, and no row stays. */
  readonly head?: 'new' | undefined;
  readonly addClasses?: readonly string[] | undefined;
  readonly keepClasses?: readonly string[] | undefined;
}

/** The requested classes of a head: each an old one, by index, or a new one. */
export interface HeadPlan {
  readonly sources: readonly (number | null)[];
  /** `undefined` if classes are only indices. */
  readonly names: ClassNames | undefined;
}

/** The source of a head's names, for messages. */
export const NEW_HEAD = 'the new head';

export function changesHead({ head, addClasses, keepClasses }: HeadOptions): boolean {
  return head !== undefined || addClasses !== undefined || keepClasses !== undefined;
}

/** A head with only new classes. @throws LossgraftError `head-classes` for fewer than two, or a repeated name. */
export function freshClasses(count: number, names: readonly string[] | undefined, areValues = false): HeadPlan {
  if (names) refuseTwice(names);
  if (count < 2) throw refused('two classes or more', String(count), 'Give data, or names, of all classes');
  return {
    sources: Array.from({ length: count }, () => null),
    names: names && classNames(names, NEW_HEAD, areValues),
  };
}

/**
 * The classes that stay, in the model's order, followed by the new ones.
 *
 * @param known names of the model's classes; `undefined` if unknown: then their indices serve as names.
 * @throws LossgraftError `head-classes` for removing a missing class, or adding an existing one.
 */
export function changedClasses(
  { addClasses: added = [], keepClasses: kept }: HeadOptions,
  known: ClassNames | undefined,
  classes: number,
): HeadPlan {
  const isNamed = known !== undefined && !known.arePlaceholders;
  const own = isNamed ? known.names : Array.from({ length: classes }, (_, k) => String(k));
  for (const name of added)
    if (own.includes(name))
      throw refused('a class that the model does not have', JSON.stringify(name), 'Leave it out', 'addClasses');
  for (const name of kept ?? []) if (!own.includes(name)) throw unknown(name, own);
  refuseTwice(added, 'addClasses');
  refuseTwice(kept ?? [], 'keepClasses');
  const stay = own.flatMap((name, k) => (kept === undefined || kept.includes(name) ? [k] : []));
  const sources = [...stay, ...added.map(() => null)];
  if (sources.length < 2)
    throw refused('two classes or more', String(sources.length), 'Keep more of them', 'keepClasses');
  const names = [...stay.map((k) => own[k] ?? ''), ...added];
  return { sources, names: classNames(names, NEW_HEAD, isNamed ? (known?.areValues ?? false) : true) };
}

/** One score with a sigmoid distinguishes two classes. @throws LossgraftError `head-classes` for any other change. */
export function refuseBinary(
  { kind, model }: { readonly kind: string; readonly model: { readonly name: string } },
  { sources }: HeadPlan,
  isFresh: boolean,
): void {
  if (kind !== 'sigmoid-binary' || (isFresh && sources.length === 2)) return;
  throw new LossgraftError({
    code: 'head-classes',
    where: model.name,
    expected: 'two other classes, since one score and a sigmoid tell two apart',
    found: `${sources.length}`,
    hint: 'Export the model with a softmax over its classes',
  });
}

function unknown(name: string, own: readonly string[]): LossgraftError {
  const near = nearestNames(name, own).map((each) => JSON.stringify(each));
  const shown = own.slice(0, 10).join(', ') + (own.length > 10 ? `, … (${own.length})` : '');
  return refused(
    `classes of the model: ${shown}`,
    JSON.stringify(name),
    near.length > 0 ? `Did you mean ${near.join(', ')}` : 'Correct it',
    'keepClasses',
  );
}

function refuseTwice(names: readonly string[], key = 'classNames'): void {
  const twice = names.find((name, k) => names.indexOf(name) !== k);
  if (twice !== undefined) throw refused('each class once', `${JSON.stringify(twice)} twice`, 'Omit one of them', key);
  if (names.includes('')) throw refused('a name for each class', 'an empty one', 'Correct it', key);
}

function refused(expected: string, found: string, hint: string, key?: string): LossgraftError {
  const where = key === undefined ? option('head', 'new') : `option ${key}`;
  return new LossgraftError({ code: 'head-classes', where, expected, found, hint });
}
