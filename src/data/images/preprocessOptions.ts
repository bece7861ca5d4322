import { LossgraftError, option } from '../../errors.ts';
import { fileIn } from '../fileIn.ts';
import { byteScale } from '../normalize.ts';
import type { ImageOptions } from '../options.ts';
import type { Preprocess } from './preprocess.ts';
import { readPreprocessFile } from './preprocessFile.ts';
import type { Size } from './resample.ts';

/** In a Hugging Face model folder. */
const PREPROCESS = {
  name: 'preprocessor_config.json',
  code: 'bad-preprocess' as const,
  hint: () =>
    `Name the file, or give the steps as options instead: ${option('resize')}, ${option('resample')}, ${option('crop')}, ${option('mean')}, ${option('std')}`,
};

/**
 * The preprocessing that the options request.
 *
 * @throws LossgraftError `bad-preprocess` for invalid values, and for a preprocess file together with other options.
 */
export function preprocessOf(options: ImageOptions): Preprocess {
  const { preprocess, resize, resample: filter, crop, channels = 3, mean = [0], std = [1] } = options;
  if (preprocess !== undefined) {
    const given = { resize, resample: filter, crop, channels: options.channels, mean: options.mean, std: options.std };
    const other = Object.entries(given).find(([, value]) => value !== undefined);
    if (other === undefined) return readPreprocessFile(fileIn(preprocess, PREPROCESS));
    throw refused(`option ${other[0]}`, 'either a preprocess file or these options', 'both', 'Leave one out');
  }
  if (channels !== 1 && channels !== 3) throw refused('option channels', '3 (RGB) or 1 (grey)', String(channels));
  if (filter !== undefined && resize === undefined) {
    throw refused('option resample', 'the option resize with it', 'none', 'Add a size, or omit resample');
  }
  return {
    channels,
    resize: resize === undefined ? undefined : parseResize(resize),
    filter: filter ?? 'bilinear',
    crop: crop === undefined ? undefined : parseCrop(crop),
    scale: byteScale(channels, { mean, std }),
  };
}

function parseResize(text: string): number | Size {
  const sizes = parseSizes('resize', text);
  const [height, width] = sizes;
  return width === undefined ? height : { height, width };
}

function parseCrop(text: string): Size {
  const [height, width = height] = parseSizes('crop', text);
  return { height, width };
}

function parseSizes(option: string, text: string): [number, number?] {
  const [, height, width] = /^([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?$/.exec(text.trim()) ?? [];
  if (height === undefined) throw refused(`option ${option}`, 'pixels, such as 224, or 224x192 (height x width)', text);
  return width === undefined ? [Number(height)] : [Number(height), Number(width)];
}

function refused(where: string, expected: string, found: string, hint = 'Correct it'): LossgraftError {
  return new LossgraftError({ code: 'bad-preprocess', where, expected, found, hint });
}
