import type { ClassNames } from '../classes/names.ts';
import { LossgraftError } from '../errors.ts';
import { toNumbers } from '../numbers.ts';
import type { Tensor } from '../tensor.ts';
import type { Column, Dataset } from './dataset.ts';
import { refuseNames } from './nameMismatch.ts';
import { numbered } from './order.ts';

/** Whether a column has a number for each label of each sample, [N, C]. */
export function isMatrix({ dtype, dims }: Column): boolean {
  return dims.length === 2 && (dims[1] ?? 0) >= 2 && dtype !== 'string';
}

export interface MatrixRequest {
  /** For messages. */
  readonly where: string;
  readonly classes: number | undefined;
}

/**
 * Rows of 0 and 1, one number for each label, [count, C].
 *
 * @throws LossgraftError `labels-shape` for another width than the model's, `labels-dtype` for other numbers, with the row.
 */
export async function readMatrix(
  column: Column,
  start: number,
  count: number,
  { where, classes }: MatrixRequest,
): Promise<Float32Array> {
  const { dtype, dims } = column;
  const width = dims[1] ?? 0;
  if (!isMatrix(column) || (classes !== undefined && width !== classes)) {
    throw new LossgraftError({
      code: 'labels-shape',
      where,
      expected: `a row of 0 and 1 per sample, one number for each of the model’s ${classes ?? ''} labels, [N, ${classes ?? 'C'}]`,
      found: `${dtype}[${dims.join(', ')}]`,
      hint: 'Give one column per label, in the order of the model’s scores',
    });
  }
  const numbers = toNumbers(await column.read(start, count));
  const wrong = numbers.findIndex((value) => value !== 0 && value !== 1);
  if (wrong < 0) return Float32Array.from(numbers);
  throw new LossgraftError({
    code: 'labels-dtype',
    where: `${where}, row ${start + Math.floor(wrong / width)}, label ${wrong % width}`,
    expected: '0 or 1',
    found: String(numbers[wrong]),
    hint: 'Give 1 for a label that the sample has and 0 for another',
  });
}

const AT_ONCE = 65_536;

/** All rows of a matrix of labels, [N, C]. @throws LossgraftError as {@link readMatrix} does. */
export async function readHot(column: Column, request: MatrixRequest): Promise<Uint8Array> {
  const [size = 0, width = 0] = column.dims;
  const hot = new Uint8Array(size * width);
  for (let start = 0; start < size || start === 0; start += AT_ONCE) {
    hot.set(await readMatrix(column, start, Math.min(AT_ONCE, size - start), request), start * width);
    if (size === 0) break;
  }
  return hot;
}

/** A column over rows of 0 and 1 in memory, a byte each. */
export function matrixColumn(hot: Uint8Array, width: number): Column {
  const read = async (start: number, count: number): Promise<Tensor> => ({
    dtype: 'uint8',
    dims: [count, width],
    data: hot.slice(start * width, (start + count) * width),
  });
  return { dtype: 'uint8', dims: [hot.length / width, width], read };
}

/** Whether each row of 0 and 1 has exactly one 1, so that classes may be exclusive. `undefined` if there are other numbers. */
export async function looksAt(column: Column): Promise<'one-hot' | 'multi-hot' | undefined> {
  const [size = 0, width = 0] = column.dims;
  let isOneHot = true;
  for (let start = 0; start < size; start += AT_ONCE) {
    const numbers = toNumbers(await column.read(start, Math.min(AT_ONCE, size - start)));
    if (numbers.some((value) => value !== 0 && value !== 1)) return undefined;
    for (let i = 0; i < numbers.length && isOneHot; i += width)
      isOneHot = numbers.slice(i, i + width).reduce((sum, value) => sum + value, 0) === 1;
  }
  return isOneHot ? 'one-hot' : 'multi-hot';
}

/** Puts columns of labels into the order of the model's classes, and says in a note how. @throws LossgraftError `unknown-class`, `labels-shape` */
export function alignMatrix(data: Dataset, key: string, column: Column, names: ClassNames | undefined): Dataset {
  const { classNames: own, name } = data;
  const isKnown = names !== undefined && !names.arePlaceholders;
  if (own === undefined) {
    if (!isKnown) return data;
    return noted(
      data,
      `${name}: labels are columns of 0 and 1 in the order ${numbered(names.names)}, by ${names.from}`,
      {
        classNames: names.names,
      },
    );
  }
  const isSame = isKnown && own.length === names.names.length && own.every((label, k) => label === names.names[k]);
  if (!isKnown || isSame) {
    const order = data.labelsFrom === 'names' ? 'IN SORTED ORDER, since' : 'in the order of the data’s columns, since';
    const why = isKnown ? `by name with ${names.from}` : `${order} nothing tells the order of the model’s scores`;
    return noted(data, `${name}: labels are ${numbered(own)}, ${why}`, {});
  }
  const places = names.names.map((label) => own.findIndex((each) => each.normalize('NFC') === label.normalize('NFC')));
  if (own.some((_, k) => !places.includes(k))) throw refuseNames(data, own, names);
  const missing = names.names.filter((_, k) => (places[k] ?? -1) < 0);
  if (missing.length > 0 && data.labelsFrom !== 'names') throw noColumn(name, missing, names);
  const without = missing.length === 0 ? '' : `; no samples of ${missing.slice(0, 10).join(', ')}`;
  const note = `${name}: labels are matched by name with ${names.from}: ${numbered(names.names)}${without}`;
  const mapped = reordered(column, places);
  const columns = new Map([...data.columns, [key, mapped]]);
  return noted({ ...data, columns }, note, { classNames: names.names });
}

/** @param places for each new column the old one; -1: zeros. */
function reordered(column: Column, places: readonly number[]): Column {
  const [size = 0, width = 0] = column.dims;
  const read = async (start: number, count: number): Promise<Tensor> => {
    const numbers = toNumbers(await column.read(start, count));
    const data = new Uint8Array(count * places.length);
    for (let i = 0; i < data.length; i++) {
      const place = places[i % places.length] ?? -1;
      data[i] = place < 0 ? 0 : (numbers[Math.floor(i / places.length) * width + place] ?? 0);
    }
    return { dtype: 'uint8', dims: [count, places.length], data };
  };
  return { dtype: 'uint8', dims: [size, places.length], read };
}

function noted(data: Dataset, note: string, more: Pick<Dataset, 'classNames'>): Dataset {
  const { classPlaces: _, ...rest } = data;
  const { notes = [] } = data;
  return { ...rest, notes: notes.includes(note) ? notes : [...notes, note], ...more };
}

function noColumn(where: string, missing: readonly string[], names: ClassNames): LossgraftError {
  return new LossgraftError({
    code: 'table-columns',
    where,
    expected: `a column of 0 and 1 for each label of the model (${names.from})`,
    found: `none for ${missing.slice(0, 10).join(', ')}`,
    hint: 'Whether a sample has a label cannot be told without its column: add it',
  });
}
