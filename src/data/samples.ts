import { LossgraftError } from '../errors.ts';
import type { Model } from '../model.ts';
import { ownBuffers } from '../runtime/release.ts';
import type { Port } from '../runtime/session.ts';
import { isText, type Tensor } from '../tensor.ts';
import { allocateRows, mapTensors, padRows, pickRows, setRows } from '../tensorRows.ts';
import { type Augmentation, augmentImages } from './augmentation.ts';
import { type BoundData, bindData, type LabelInput, labelPort } from './bind.ts';
import { type Column, type Dataset, LABELS } from './dataset.ts';
import { countLabels, listsOf, rarestLabels } from './labelLists.ts';
import { readHot } from './labelMatrix.ts';
import { selectRows } from './select.ts';
import { readSoft } from './softLabels.ts';
import { labelsOf } from './split.ts';

type Feeds = Record<string, Tensor>;

/** Data to feed a model with, in any order. */
export interface Samples {
  readonly name: string;
  readonly size: number;
  /**
   * Class indices, checked. If samples may have several labels: the rarest label of each, and the number of labels for a sample without
   * any. Rows are divided and drawn by these.
   */
  readonly labels: BigInt64Array;
  /** If samples may have several labels: 1 for each label of a sample, 0 for the others, [N, C]. */
  readonly hot?: Uint8Array;
  /** Where the labels of the data are soft: the shares of all classes, [N, C], of which `labels` has the largest. */
  readonly soft?: Float32Array;
  readonly notes: readonly string[];
  /** Of one row's inputs. */
  readonly rowBytes: number;
  /** Whether `read` returns arrays that nobody else holds. */
  readonly isFresh: boolean;
  /** What a row is to the user: a file, a line; else its number. */
  describeRow(row: number): string;
  /** The feeds of these rows, in this order. */
  read(rows: Uint32Array): Promise<Feeds>;
}

/** Data up to this size are read once and kept; larger data are read batch by batch. */
const KEPT_BYTES: number = 256 * 2 ** 20;
const READ_AT_ONCE = 1024;

/**
 * Matches data to a model's inputs, and reads all labels.
 *
 * @throws LossgraftError for data that do not fit and labels out of range, with the row; see `bindData`.
 */
export async function openSamples(data: Dataset, inputs: readonly Port[], labels: LabelInput): Promise<Samples> {
  const bound = bindData(data, inputs, labels);
  const column = data.columns.get(labels.name) ?? data.columns.get(LABELS);
  const targets = await targetsOf(data, column, labels);
  const soft = data.softLabels && (await readSoft(data.softLabels, `${data.name}, ${LABELS}`, labels.classes));
  const first = await bound.read(0, 1);
  const rowBytes = Object.values(first).reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  const kept = bound.size * rowBytes <= KEPT_BYTES ? await readAll(bound, first) : undefined;
  const read = async (rows: Uint32Array): Promise<Feeds> =>
    kept === undefined
      ? bindData(selectRows(data, rows), inputs, labels).read(0, rows.length)
      : mapTensors(kept, (tensor) => pickRows(tensor, rows));
  const describeRow = (row: number): string => data.describeRow?.(row) ?? `row ${row}`;
  return {
    name: data.name,
    size: bound.size,
    ...targets,
    ...(soft ? { soft } : {}),
    rowBytes,
    // Without the copy of a shuffle, consecutive rows may be a view of the user's own array.
    isFresh:
      kept !== undefined || [...data.columns.values(), data.unnamed].every((own) => own?.isFresh ?? own === column),
    notes: [...(data.notes ?? []), ...bound.notes],
    describeRow,
    read,
  };
}

/** The labels of all rows. @throws LossgraftError for labels that are not classes, or not the model's, with the row. */
export async function targetsOf(
  data: Dataset,
  column: Column | undefined,
  { classes, task }: LabelInput,
): Promise<Pick<Samples, 'labels' | 'hot'>> {
  if (task !== 'multi-label' || column === undefined)
    return { labels: await labelsOf({ ...data, columns: new Map(column ? [[LABELS, column]] : []) }, classes) };
  const hot = await readHot(column, { where: `${data.name}, ${LABELS}`, classes });
  const width = column.dims[1] ?? 0;
  const lists = listsOf(hot, width);
  return { hot, labels: BigInt64Array.from(rarestLabels(lists, countLabels(lists, width)), BigInt) };
}

/** The inputs of a model to match data with, including the label input. */
export function inputPorts(model: Model, labels: string | LabelInput): Port[] {
  const { inputs, initializers } = model.proto.graph;
  const constants = new Set(initializers.map(({ name }) => name));
  const own = inputs
    .filter(({ name }) => !constants.has(name))
    .map(({ name, type }) => ({ name, dtype: type?.dtype, shape: type?.shape }));
  return [...own, labelPort(typeof labels === 'string' ? { name: labels, classes: undefined } : labels)];
}

/** The batch that a model fixes. */
export function fixedBatch(ports: readonly Port[]): number | undefined {
  return ports.map(({ shape }) => shape?.[0]).find((dim) => typeof dim === 'number');
}

/** Some rows of some data. */
export interface Part {
  readonly samples: Samples;
  readonly rows: Uint32Array;
}

/** How many samples a run takes. */
export interface BatchSizes {
  /** If the model fixes it. */
  readonly fixed: number | undefined;
  /** In a step of training. */
  readonly trained: number;
}

export function batchSizesOf({
  ports,
  batchSize,
}: {
  readonly ports: readonly Port[];
  readonly batchSize: number;
}): BatchSizes {
  return { fixed: fixedBatch(ports), trained: batchSize };
}

/** Random crops and flips of the model's image input. @throws LossgraftError `augment-images` unless there is exactly one. */
export function augmenter(
  data: Dataset,
  ports: readonly Port[],
  options: Augmentation | undefined,
): (feeds: Feeds, keys: Parameters<typeof augmentImages>[2]) => Feeds {
  if (options === undefined || ((options.padding ?? 0) === 0 && !options.flip)) return (feeds) => feeds;
  const images = ports.filter(({ dtype, shape }) => dtype === 'float32' && shape?.length === 4);
  const [port] = images;
  if (images.length !== 1 || port === undefined) {
    throw new LossgraftError({
      code: 'augment-images',
      where: 'augmentation',
      expected: 'a model with one input of images, float32 [N, C, H, W]',
      found: `${images.length} such inputs`,
      hint: 'Omit random crops and flips',
    });
  }
  const { name } = port;
  const black = (data.columns.get(name) ?? data.unnamed)?.black;
  return (feeds, keys) => {
    const tensor = feeds[name];
    return tensor === undefined ? feeds : { ...feeds, [name]: augmentImages(tensor, options, keys, black) };
  };
}

/** The buffers of feeds that can be transferred to another thread; small ones are copied just as fast. */
export function buffersOf(feeds: Readonly<Feeds>): ArrayBuffer[] {
  return ownBuffers(Object.values(feeds)).filter(({ byteLength }) => byteLength >= HANDED_ON);
}

const HANDED_ON: number = 64 * 2 ** 10;

/** Pads a last batch to a model's fixed batch size. */
export function fillUp(feeds: Readonly<Feeds>, fixed: number | undefined): Readonly<Feeds> {
  return fixed === undefined ? feeds : mapTensors(feeds, (tensor) => padRows(tensor, fixed));
}

function bytesOf({ data }: Tensor): number {
  return isText(data) ? data.reduce((sum, text) => sum + 2 * text.length, 0) : data.byteLength;
}

/** Reads everything in pieces. Each is checked, and copied into place unless it is in memory already. */
async function readAll(bound: BoundData, first: Feeds): Promise<Feeds> {
  const own = Object.entries(first).filter(([name]) => bound.whole[name] === undefined);
  const copies = new Map(own.map(([name, tensor]) => [name, allocateRows(tensor, bound.size)]));
  for (let start = 0; start < bound.size; start += READ_AT_ONCE) {
    const piece = await bound.read(start, Math.min(READ_AT_ONCE, bound.size - start));
    for (const [name, rows] of Object.entries(piece)) {
      const target = copies.get(name);
      if (target !== undefined) setRows(target, start, rows);
    }
  }
  return { ...bound.whole, ...Object.fromEntries(copies) };
}
