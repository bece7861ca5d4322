import { LossgraftError } from '../../errors.ts';
import { isRecord } from '../../isRecord.ts';

/**
 * How the cells of a table become a model's numbers. Training fits it on its rows and records it in the written model, so that other data
 * are prepared alike.
 */
export interface Preparation {
  /** In the order of the model's single input; each of several inputs takes the column of its name. */
  readonly columns: readonly PreparedColumn[];
  /** How to treat an unlisted category: refuse it, or encode it as no category at all: zeros, or −1 as a code. */
  readonly unknown: UnknownCategory;
}

export type UnknownCategory = 'error' | 'ignore';

/** A column of numbers. */
export interface NumberColumn {
  readonly name: string;
  /** Stands for missing cells. */
  readonly fill?: number;
}

/** How a category is fed to a model: one-hot, as its index, or as text. */
export type Encoding = 'one-hot' | 'ordinal' | 'text';

/** A column of categories. */
export interface CategoryColumn {
  readonly name: string;
  readonly as: Encoding;
  /** In the order of their zeros and ones, or their indices; empty for texts. */
  readonly categories: readonly string[];
  readonly fill?: string;
}

export type PreparedColumn = NumberColumn | CategoryColumn;

export function isCategory(column: PreparedColumn): column is CategoryColumn {
  return 'as' in column;
}

/** How many numbers per sample a column becomes. */
export function widthOf(column: PreparedColumn): number {
  return isCategory(column) && column.as === 'one-hot' ? column.categories.length : 1;
}

/** Whether other data could not be prepared alike without it. */
export function isRecorded({ columns }: Preparation): boolean {
  return columns.some((column) => column.fill !== undefined || (isCategory(column) && column.as !== 'text'));
}

/** The preparation that a manifest records. @throws LossgraftError `bad-manifest` */
export function preparationIn(
  manifest: Readonly<Record<string, unknown>> | null,
  where: string,
): Preparation | undefined {
  const given = manifest?.preparation;
  if (given === undefined) return undefined;
  const isWhole =
    isRecord(given) &&
    (given.unknown === 'error' || given.unknown === 'ignore') &&
    Array.isArray(given.columns) &&
    given.columns.every(isColumn);
  if (isWhole) return given as unknown as Preparation;
  throw new LossgraftError({
    code: 'bad-manifest',
    where: `${where}, preparation`,
    expected: 'columns of numbers and categories, as training writes them',
    found: JSON.stringify(given).slice(0, 80),
    hint: 'Train the original model again',
  });
}

function isColumn(given: unknown): given is PreparedColumn {
  if (!isRecord(given) || typeof given.name !== 'string') return false;
  if (given.as === undefined) return given.fill === undefined || Number.isFinite(given.fill);
  const isKnown = given.as === 'one-hot' || given.as === 'ordinal' || given.as === 'text';
  const areTexts = Array.isArray(given.categories) && given.categories.every((each) => typeof each === 'string');
  return isKnown && areTexts && (given.fill === undefined || typeof given.fill === 'string');
}
