import sharp, { type Sharp } from 'sharp';
import { LossgraftError } from '../../errors.ts';
import { MAX_IMAGE_PIXELS } from '../limits.ts';
import { firstPicture } from './gif.ts';
import { onScreen, toGrey, toRgb } from './pixels.ts';
import type { Pixels } from './resample.ts';
import { misread } from './tiff.ts';

/** The supported formats, by their first bytes in hex. Others that the library knows (SVG, PDF) are programs rather than pictures. */
const SIGNATURES: Readonly<Record<string, RegExp>> = {
  JPEG: /^ffd8ff/,
  PNG: /^89504e470d0a1a0a/,
  GIF: /^474946383[79]61/,
  WebP: /^52494646.{8}57454250/,
  TIFF: /^(49492[ab]00|4d4d002[ab])/,
};

/** Does a file begin like an image in a supported format? */
export function isImage(start: Uint8Array): boolean {
  return formatOf(start) !== undefined;
}

function formatOf(start: Uint8Array): string | undefined {
  const hex = Buffer.from(start.subarray(0, 16)).toString('hex');
  return Object.keys(SIGNATURES).find((format) => SIGNATURES[format]?.test(hex));
}

/**
 * Decodes an image to bytes, as Pillow's `Image.open(…).convert('RGB')` or `convert('L')` does: the first frame, alpha and colour profile
 * dropped, turned by its orientation only in TIFF.
 *
 * @throws LossgraftError `bad-image` if it is damaged or truncated; `image-format` for formats other than {@link SIGNATURES}, and 16-bit
 * grey, which Pillow clips at 255; `image-too-large`.
 */
export async function decodeImage(bytes: Uint8Array, channels: 1 | 3, where: string): Promise<Pixels> {
  const format = formatOf(bytes);
  if (format === undefined) throw badFormat(where, bytes.length === 0 ? 'an empty file' : 'other bytes');
  try {
    const rgb = format === 'GIF' ? await decodeGif(bytes, where) : await decode(bytes, format, where);
    return channels === 1 ? toGrey(rgb) : rgb;
  } catch (cause) {
    if (cause instanceof LossgraftError) throw cause;
    throw undecoded(where, cause);
  }
}

/** Transparent pixels keep their colour, and the first frame may be smaller than the screen. */
async function decodeGif(bytes: Uint8Array, where: string): Promise<Pixels> {
  const first = firstPicture(bytes);
  if (first === undefined) throw new Error('the file ends within its first frame');
  checkSize(where, first.screen);
  // The library fills in what is missing without an error.
  const { data } = await decode(first.white, 'GIF', where);
  if (data.some((value) => value !== 255)) throw new Error('its first frame has fewer pixels than its header declares');
  return onScreen(await decode(first.bytes, 'GIF', where), first);
}

async function decode(bytes: Uint8Array, format: string, where: string): Promise<Pixels> {
  // Pillow applies the orientation of a TIFF, and of no other format.
  const options = { failOn: 'error', ignoreIcc: true, limitInputPixels: false, autoOrient: format === 'TIFF' } as const;
  const open = (): Sharp => sharp(bytes, options);
  const { space, depth, width, height } = await open().metadata();
  checkSize(where, { width, height });
  const other = format === 'TIFF' ? misread(bytes, depth) : undefined;
  if (other !== undefined) throw badFormat(where, other);
  const isGrey16 = space === 'grey16' && !(format === 'PNG' && bytes[PNG_COLOUR_TYPE] === GREY_WITH_ALPHA);
  const target = isGrey16 ? undefined : COLOURS[`${space} ${depth}`];
  if (target === undefined) throw badFormat(where, `colours ${space}, samples ${depth}`);
  const raw = open().removeAlpha().pipelineColourspace(target).toColourspace(target);
  const { data, info } = await raw.raw({ depth }).toBuffer({ resolveWithObject: true });
  const samples = depth === 'ushort' ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
  return toRgb({ height: info.height, width: info.width, channels: info.channels, data: samples });
}

/** Pillow reads 16-bit grey with alpha as it reads RGB, and clips grey alone. */
const PNG_COLOUR_TYPE = 25;
const GREY_WITH_ALPHA = 4;

/** The supported colour spaces and sample types, and the colour space in which the library returns them. */
const COLOURS: Readonly<Record<string, 'srgb' | 'rgb16' | 'grey16' | 'cmyk'>> = {
  'srgb uchar': 'srgb',
  'b-w uchar': 'srgb',
  'cmyk uchar': 'cmyk',
  'rgb16 ushort': 'rgb16',
  'grey16 ushort': 'grey16',
};

function checkSize(where: string, { width, height }: { width: number; height: number }): void {
  if (width * height <= MAX_IMAGE_PIXELS) return;
  throw new LossgraftError({
    code: 'image-too-large',
    where,
    expected: `at most ${MAX_IMAGE_PIXELS} pixels`,
    found: `${width} × ${height}`,
    hint: 'Make it smaller first',
  });
}

function undecoded(where: string, cause: unknown): LossgraftError {
  const found = cause instanceof Error ? [...new Set(cause.message.split('\n'))].join('; ') : String(cause);
  // This build of the library has no decoder for some compressions.
  if (/not configured/.test(found)) return badFormat(where, found);
  return new LossgraftError({
    code: 'bad-image',
    where,
    expected: 'a whole image',
    found,
    hint: 'The file is damaged or truncated; replace or remove it',
    cause,
  });
}

function badFormat(where: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'image-format',
    where,
    expected: `${Object.keys(SIGNATURES).join(', ')}, in RGB, CMYK or grey with 8 bits a sample, or RGB with 16`,
    found,
    hint: 'Convert or remove the image',
  });
}

/** Pictures up to this size are shown unchanged. */
const SMALL_PIXELS = 64;
const MAX_THUMBNAIL = 160;

/** A small WebP picture for a page; small images stay lossless. */
export async function encodeThumbnail({ height, width, channels, data }: Pixels): Promise<Uint8Array> {
  const raw = { width, height, channels: channels === 1 ? 1 : 3 } as const;
  const small = Math.max(width, height) <= SMALL_PIXELS;
  const side = { width: MAX_THUMBNAIL, height: MAX_THUMBNAIL, fit: 'inside', withoutEnlargement: true } as const;
  return sharp(data, { raw }).resize(side).webp({ lossless: small, quality: 82 }).toBuffer();
}
