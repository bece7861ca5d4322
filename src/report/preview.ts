import type { Column, Dataset } from '../data/dataset.ts';
import { encodeThumbnail } from '../data/images/image.ts';
import type { Samples } from '../data/samples.ts';
import { toNumbers } from '../numbers.ts';
import type { Port } from '../runtime/session.ts';
import type { Tensor } from '../tensor.ts';
import { isText } from '../tensor.ts';
import { cellsPreview, type Usual } from './cells.ts';
import { shortened } from './html.ts';
import type { Preview } from './report.ts';

const MAX_TEXT = 320;
const SHOWN_NUMBERS = 10;

/**
 * Previews of data rows: pictures of image inputs, a table's cells, the data's own description, or else their first numbers.
 *
 * @param usual values of the training data, which show what is unusual.
 */
export async function previewsOf(
  data: Dataset,
  ports: readonly Port[],
  samples: Samples,
  rows: readonly number[],
  usual: Usual = new Map(),
): Promise<Preview[]> {
  const previews: Preview[] = [];
  for (const row of rows) previews.push(await previewOf(data, ports, samples, row, usual));
  return previews;
}

async function previewOf(
  data: Dataset,
  ports: readonly Port[],
  samples: Samples,
  row: number,
  usual: Usual,
): Promise<Preview> {
  if (data.cellsOf) return cellsPreview(data.cellsOf(row), usual);
  if (data.showRow) return { kind: 'text', text: shortened(await data.showRow(row), MAX_TEXT) };
  const feeds = await samples.read(Uint32Array.of(row));
  // The last port takes the labels.
  const inputs = ports.slice(0, -1).flatMap(({ name }) => (feeds[name] ? [{ name, tensor: feeds[name] }] : []));
  const image = inputs.find(({ tensor }) => isImage(tensor));
  if (image) return picture(image.tensor, data.columns.get(image.name) ?? data.unnamed);
  return {
    kind: 'text',
    text: shortened(inputs.map(({ name, tensor }) => described(name, tensor)).join('\n'), MAX_TEXT),
  };
}

/** [1, 1 or 3, height, width] */
function isImage({ dims, data }: Tensor): boolean {
  return dims.length === 4 && (dims[1] === 1 || dims[1] === 3) && !isText(data);
}

async function picture(tensor: Tensor, column: Column | undefined): Promise<Preview> {
  const [, channels = 1, height = 1, width = 1] = tensor.dims;
  const values = toNumbers(tensor);
  const size = height * width;
  const { low, high } = rangesOf(values, column);
  const data = new Uint8Array(channels * size);
  for (let c = 0; c < channels; c++) {
    const [black, white] = [low[c] ?? low[0] ?? 0, high[c] ?? high[0] ?? 1];
    for (let i = 0; i < size; i++) {
      const level = ((values[c * size + i] ?? 0) - black) / (white - black);
      data[i * channels + c] = Math.round(255 * Math.min(1, Math.max(0, level)));
    }
  }
  const bytes = Buffer.from(await encodeThumbnail({ height, width, channels, data }));
  return { kind: 'image', uri: `data:image/webp;base64,${bytes.toString('base64')}`, width, height };
}

/** The values of black and white, by channel: from the data, or else 0…1 or 0…255 if everything lies within, or else the extremes. */
function rangesOf(
  values: readonly number[],
  column: Column | undefined,
): { low: readonly number[]; high: readonly number[] } {
  if (column?.black && column.white) return { low: column.black, high: column.white };
  const finite = values.filter(Number.isFinite);
  const [min, max] = finite.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, -Infinity]);
  if (min >= 0 && max <= 1) return { low: [0], high: [1] };
  if (min >= 0 && max <= 255) return { low: [0], high: [255] };
  return { low: [min], high: [max > min ? max : min + 1] };
}

/** `x: 0.1, 2, … (9)` */
function described(name: string, { data }: Tensor): string {
  const shown = Array.from({ length: Math.min(SHOWN_NUMBERS, data.length) }, (_, i) => {
    const item = data[i];
    return typeof item === 'number' ? String(Number(item.toPrecision(4))) : String(item);
  });
  return `${name}: ${shown.join(', ')}${data.length > SHOWN_NUMBERS ? `, … (${data.length})` : ''}`;
}
