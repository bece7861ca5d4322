import { readFileSync, statSync } from 'node:fs';
import { LossgraftError, option } from '../../errors.ts';
import { isRecord } from '../../isRecord.ts';
import { MAX_CONFIG_BYTES } from '../limits.ts';
import { byteScale } from '../normalize.ts';
import type { ResampleFilter } from '../options.ts';
import type { Preprocess } from './preprocess.ts';
import type { Size } from './resample.ts';

/**
 * Reads Hugging Face's preprocessor_config.json.
 *
 * @throws LossgraftError `bad-preprocess` for processors that do anything but resize, crop the middle, scale and normalise, for unknown
 * steps, and for invalid values. Nothing is ignored.
 */
export function readPreprocessFile(path: string): Preprocess {
  const config = readConfig(path);
  const steps = new Config(path, config);
  const { single, crops } = steps.processor();
  steps.refuseUnknown();
  const resize = steps.flag('do_resize') ? steps.size('size', single) : undefined;
  const crop = steps.flag('do_center_crop', crops) ? steps.size('crop_size', 'square') : undefined;
  if (typeof crop === 'number') throw steps.refused('crop_size', '{"height": …, "width": …}', 'a shortest_edge');
  const isNormalized = steps.flag('do_normalize');
  return {
    channels: 3,
    resize,
    filter: resize === undefined ? 'bilinear' : steps.filter(),
    crop,
    scale: byteScale(3, {
      factor: steps.flag('do_rescale') ? (steps.number('rescale_factor') ?? 1 / 255) : 1,
      mean: isNormalized ? steps.numbers('image_mean') : [0],
      std: isNormalized ? steps.numbers('image_std') : [1],
    }),
  };
}

interface Processor {
  /** What a single number as `size` means; `undefined` if the file does not name its processor. */
  readonly single: 'square' | 'shortest' | undefined;
  /** Whether it crops by default; `false` if it has no such step. */
  readonly crops: boolean;
}

/** Processors that resize, crop the middle, scale and normalise. */
const PROCESSORS: Readonly<Record<string, Processor>> = {
  ViT: { single: 'square', crops: false },
  DeiT: { single: 'square', crops: true },
  Beit: { single: 'square', crops: true },
  Siglip: { single: 'square', crops: false },
  CLIP: { single: 'shortest', crops: true },
  Bit: { single: 'shortest', crops: true },
  MobileNetV1: { single: 'shortest', crops: true },
  MobileNetV2: { single: 'shortest', crops: true },
};

/** Pillow's numbers. */
const FILTERS: readonly ResampleFilter[] = ['nearest', 'lanczos', 'bilinear', 'bicubic', 'box', 'hamming'];

const STEPS = [
  'do_resize',
  'size',
  'resample',
  'do_center_crop',
  'crop_size',
  'do_rescale',
  'rescale_factor',
  'do_normalize',
  'image_mean',
  'image_std',
  'do_convert_rgb',
];

/** They say how the file is found or what Python returns, and change no number. */
const BOOKKEEPING = [
  'image_processor_type',
  'feature_extractor_type',
  'processor_class',
  '_processor_class',
  '_valid_processor_keys',
  'auto_map',
  'return_tensors',
  'data_format',
  'input_data_format',
  'device',
  'disable_grouping',
];

class Config {
  readonly #path: string;
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(path: string, values: Readonly<Record<string, unknown>>) {
    this.#path = path;
    this.#values = new Map(Object.entries(values));
  }

  processor(): Processor {
    const type = this.#values.get('image_processor_type') ?? this.#values.get('feature_extractor_type');
    if (type === undefined || type === null) return { single: undefined, crops: this.#values.has('crop_size') };
    const found = PROCESSORS[String(type).replace(/(ImageProcessor|FeatureExtractor)(Fast|Pil)?$/, '')];
    if (found !== undefined) return found;
    const known = Object.keys(PROCESSORS).map((name) => `${name}ImageProcessor`);
    throw this.refused('image_processor_type', `one of ${known.join(', ')}`, String(type));
  }

  refuseUnknown(): void {
    for (const [key, value] of this.#values) {
      const isOff = value === null || value === false;
      if (isOff || STEPS.includes(key) || BOOKKEEPING.includes(key)) continue;
      throw this.refused(key, `steps among ${STEPS.join(', ')}`, `${key}: ${JSON.stringify(value)}`);
    }
  }

  /** The default of a missing step depends on the processor, so the file must name it, unless the processor lacks the step. */
  flag(key: string, isDefault = true): boolean {
    const value = this.#values.get(key) ?? (isDefault ? undefined : false);
    if (typeof value === 'boolean') return value;
    throw this.refused(key, 'true or false', JSON.stringify(value) ?? 'nothing');
  }

  number(key: string): number | undefined {
    const value = this.#values.get(key) ?? undefined;
    if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
    throw this.refused(key, 'a number', JSON.stringify(value));
  }

  numbers(key: string): number[] {
    const value = this.#values.get(key);
    const list = Array.isArray(value) ? value : [value];
    const numbers = list.filter((item) => typeof item === 'number');
    if (numbers.length > 0 && numbers.length === list.length) return numbers;
    throw this.refused(key, 'one number per channel', JSON.stringify(value) ?? 'nothing');
  }

  filter(): ResampleFilter {
    const number = this.number('resample');
    const filter = number === undefined ? undefined : FILTERS[number];
    if (filter !== undefined) return filter;
    throw this.refused(
      'resample',
      `a number of Pillow's filters, 0 to ${FILTERS.length - 1}`,
      String(number ?? 'nothing'),
    );
  }

  size(key: string, single: 'square' | 'shortest' | undefined): number | Size {
    const value = this.#values.get(key);
    if (isPixels(value)) {
      if (single === 'shortest') return value;
      if (single === 'square') return { height: value, width: value };
      throw this.refused(key, 'an image_processor_type that defines what a single number means', String(value));
    }
    const sizes: Readonly<Record<string, unknown>> = isRecord(value) ? value : {};
    const { height, width, shortest_edge: shortest, ...others } = sizes;
    if (Object.keys(others).length === 0) {
      if (isPixels(height) && isPixels(width) && shortest === undefined) return { height, width };
      if (isPixels(shortest) && height === undefined && width === undefined) return shortest;
    }
    throw this.refused(key, '{"height", "width"} or {"shortest_edge"}, in pixels', JSON.stringify(value) ?? 'nothing');
  }

  refused(key: string, expected: string, found: string): LossgraftError {
    return refused(`${this.#path}, ${key}`, expected, found);
  }
}

function isPixels(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value < 100_000;
}

function readConfig(path: string): Readonly<Record<string, unknown>> {
  try {
    const { size } = statSync(path);
    if (size > MAX_CONFIG_BYTES) throw new Error(`${size} bytes, above the limit of ${MAX_CONFIG_BYTES}`);
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isRecord(value)) return value;
    throw new Error(`${JSON.stringify(value)?.slice(0, 80)}`);
  } catch (cause) {
    throw refused(
      path,
      'a JSON object, as preprocessor_config.json is',
      cause instanceof Error ? cause.message : String(cause),
    );
  }
}

function refused(where: string, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'bad-preprocess',
    where,
    expected,
    found,
    hint: `Give the steps as options instead: ${option('resize')}, ${option('resample')}, ${option('crop')}, ${option('mean')}, ${option('std')}`,
  });
}
