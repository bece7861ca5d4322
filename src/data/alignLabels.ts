import type { ClassNames } from '../classes/names.ts';
import { option } from '../errors.ts';
import type { Task } from '../task.ts';
import { type Column, type Dataset, LABELS } from './dataset.ts';
import { alignMatrix, isMatrix } from './labelMatrix.ts';
import { readNumbers } from './labels.ts';
import { indexTexts } from './labelsFile.ts';
import { type ClassRemedy, refuseNames, refuseValues } from './nameMismatch.ts';
import { indexOneHot } from './oneHot.ts';
import { numbered } from './order.ts';

/** What labels are matched with. */
export interface LabelTarget {
  /** The model's classes; `undefined` if they are unknown. */
  readonly names: ClassNames | undefined;
  /** The name of the model's label input. Default `labels`. */
  readonly input?: string | undefined;
  /** What to do about classes that the model does not have. */
  readonly remedy?: ClassRemedy | undefined;
  /** With `exclusive`, rows with one 1 each are the class of their sample. */
  readonly task?: Task | undefined;
  /** How many the model has, if known. */
  readonly classes?: number | undefined;
}

/**
 * Gives every label the index of its class in the model, and reports how in a note. Named labels are matched by name. Whole numbers are
 * indices, unless the classes are whole numbers themselves, such as 3, 5 and 8: then they are matched by value. If the model's classes
 * are unknown, names keep their sorted order.
 *
 * @throws LossgraftError `unknown-class` for labels that the model does not have, with the nearest of its names.
 */
export async function alignLabels(given: Dataset, target: LabelTarget): Promise<Dataset> {
  const { names, input = LABELS, remedy, task, classes } = target;
  const key = given.columns.has(input) ? input : LABELS;
  const oneHot = task === 'exclusive' ? await indexOneHot(given, key, classes) : undefined;
  const data = oneHot ?? (await indexTexts(given, names !== undefined, key));
  const column = data.columns.get(key);
  if (column === undefined) return data;
  if (isMatrix(column)) return alignMatrix(data, key, column, names);
  if (data.softLabels !== undefined) return indices(data, names);
  const { classNames } = data;
  if (classNames !== undefined) return byName(data, { key, column, classNames }, names, remedy);
  const found = names && oneHot === undefined ? await valuesMeant(data, column, names, remedy) : undefined;
  if (found === undefined) return indices(data, names);
  const note = `${data.name}: labels are matched by value with ${names?.from}: ${pairs(found)}`;
  return relabelled(data, { key, column, classNames: names?.names }, (label) => found.get(label) ?? 0, note);
}

interface Labelled {
  readonly key: string;
  readonly column: Column;
  readonly classNames: readonly string[] | undefined;
}

/** The same name in two Unicode normalization forms, as file systems write it, is one name. */
function normal(name: string): string {
  return name.normalize('NFC');
}

function byName(
  data: Dataset,
  { key, column, classNames: own = [] }: Labelled,
  names: ClassNames | undefined,
  remedy: ClassRemedy | undefined,
): Dataset {
  const places = new Map<string, number[]>();
  for (const [k, name] of (names?.names ?? []).entries())
    places.set(normal(name), [...(places.get(normal(name)) ?? []), k]);
  const found = own.map((name) => places.get(normal(name)) ?? []);
  const isMatched = found.every(({ length }) => length === 1);
  if (names === undefined || (names.arePlaceholders && !isMatched)) return inSortedOrder(data, own, names);
  if (!isMatched) throw refuseNames(data, own, names, remedy);
  const used = new Set(found.flat());
  const missing = names.names.flatMap((name, k) => (used.has(k) ? [] : [`${k} ${name}`]));
  const without = missing.length === 0 ? '' : `; no samples of ${shortened(missing)}`;
  const note = `${data.name}: labels are matched by name with ${names.from}: classes ${numbered(names.names)}${without}`;
  return relabelled(data, { key, column, classNames: names.names }, (label) => found[label]?.[0] ?? 0, note);
}

function inSortedOrder(data: Dataset, own: readonly string[], names: ClassNames | undefined): Dataset {
  if (data.labelsFrom === 'columns')
    return withNote(
      data,
      `${data.name}: classes ${numbered(own)} in the order of the data’s columns, since nothing tells the order of the model’s scores`,
    );
  if (data.labelsFrom !== 'names') return data;
  const told =
    names === undefined
      ? 'nothing tells'
      : `${names.from} only numbers the classes, ${names.names[0]} and so on: it does not say`;
  return withNote(
    data,
    `${data.name}: classes ${numbered(own)} in SORTED ORDER, since ${told} the order of the model's classes. Where it is another one, ` +
      `every label is wrong: then give all names in the order of its scores with ${option('classes')}`,
  );
}

function indices(data: Dataset, names: ClassNames | undefined): Dataset {
  if (names === undefined || names.arePlaceholders) return data;
  const note = `${data.name}: labels are class indices: ${numbered(names.names)}, by ${names.from}`;
  return { ...withNote(data, note), classNames: names.names };
}

/** More distinct labels than this cannot be classes. */
const MAX_VALUES = 100_000;

/**
 * The index of each class by its value, if whole-number labels are values: folders and cells named like classes, and arrays that are not
 * indices or belong to a model whose labels are such values. `undefined` if they are indices.
 */
async function valuesMeant(
  data: Dataset,
  column: Column,
  names: ClassNames,
  remedy: ClassRemedy | undefined,
): Promise<Map<number, number> | undefined> {
  const values = new Map(
    names.names.flatMap((name, k) => (/^-?\d+(\.0*)?$/.test(name) ? [[Number(name), k] as const] : [])),
  );
  const areIndices = [...values].every(([value, k]) => value === k);
  if (values.size === 0 || (areIndices && values.size === names.names.length)) return undefined;
  const found = await differentLabels(data, column);
  const areValues = found.every((label) => values.has(label));
  const isText = data.labelsFrom === 'numbers';
  if (areValues && (isText || names.areValues || found.some((label) => label >= names.names.length))) return values;
  if (areValues || (!isText && found.every((label) => label >= 0 && label < names.names.length))) return undefined;
  const unknown = found.filter((label) => !values.has(label));
  throw refuseValues(data, unknown, names, () => remedy?.(unknown.map(String), found.length - unknown.length));
}

const AT_ONCE = 65_536;

async function differentLabels(data: Dataset, column: Column): Promise<number[]> {
  const found = new Set<number>();
  const size = column.dims[0] ?? 0;
  for (let start = 0; start < size && found.size <= MAX_VALUES; start += AT_ONCE) {
    const labels = await readNumbers(column, start, Math.min(AT_ONCE, size - start), `${data.name}, labels`);
    for (const label of labels) found.add(Number(label));
  }
  return [...found].sort((a, b) => a - b);
}

function relabelled(
  data: Dataset,
  { key, column, classNames }: Labelled,
  index: (label: number) => number,
  note: string,
): Dataset {
  const read: Column['read'] = async (start, count) => {
    const labels = await readNumbers(column, start, count, `${data.name}, labels`);
    return { dtype: 'int64', dims: [labels.length], data: labels.map((label) => BigInt(index(Number(label)))) };
  };
  const { classPlaces: _, ...rest } = withNote(data, note);
  const mapped: Column = { dtype: 'int64', dims: [column.dims[0] ?? 0], read };
  return {
    ...rest,
    columns: new Map([...data.columns, [key, mapped]]),
    ...(classNames === undefined ? {} : { classNames }),
  };
}

function withNote(data: Dataset, note: string): Dataset {
  const { notes = [] } = data;
  return notes.includes(note) ? data : { ...data, notes: [...notes, note] };
}

function pairs(values: ReadonlyMap<number, number>): string {
  return shortened([...values].map(([value, k]) => `${value} is class ${k}`));
}

function shortened(items: readonly string[]): string {
  return `${items.slice(0, 10).join(', ')}${items.length > 10 ? `, … (${items.length})` : ''}`;
}
