import sharp from 'sharp';
import { LossgraftError } from '../../errors.ts';
import { MAX_IMAGE_PIXELS } from '../limits.ts';
import type { Pixels } from './resample.ts';

/** The formats that are read, by their first bytes in hex. Others that the library knows (SVG, PDF) are programs rather than pictures. */
const SIGNATURES: Readonly<Record<string, RegExp>> = {
  JPEG: /^ffd8ff/,
  PNG: /^89504e470d0a1a0a/,
  GIF: /^474946383[79]61/,
  WebP: /^52494646.{8}57454250/,
  TIFF: /^(49492a00|4d4d002a)/,
};

/** Does a file begin as an image of a format that is read? */
export function isImage(start: Uint8Array): boolean {
  const hex = Buffer.from(start.subarray(0, 16)).toString('hex');
  return Object.values(SIGNATURES).some((signature) => signature.test(hex));
}

/**
 * Decodes an image to bytes, as Pillow's `Image.open(…).convert('RGB')` or `convert('L')` does: the first frame, alpha and colour
 * profile dropped, not turned by its EXIF orientation.
 *
 * @throws LossgraftError `bad-image` where it is damaged or cut short; `image-format` for other formats than {@link SIGNATURES}, CMYK
 * and 16-bit samples; `image-too-large`.
 */
export async function decodeImage(bytes: Uint8Array, channels: 1 | 3, where: string): Promise<Pixels> {
  if (!isImage(bytes)) throw badFormat(where, bytes.length === 0 ? 'an empty file' : 'other bytes');
  try {
    const open = () => sharp(bytes, { failOn: 'error', ignoreIcc: true, limitInputPixels: false });
    const { space, depth, width, height } = await open().metadata();
    if (width * height > MAX_IMAGE_PIXELS) throw tooLarge(where, width, height);
    if (space !== 'srgb' && space !== 'b-w') throw badFormat(where, `colours ${space}`);
    if (depth !== 'uchar') throw badFormat(where, `samples ${depth}`);
    const { data, info } = await open().removeAlpha().toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
    const rgb = { height: info.height, width: info.width, channels: 3, data };
    return channels === 1 ? toGrey(rgb) : rgb;
  } catch (cause) {
    if (cause instanceof LossgraftError) throw cause;
    throw new LossgraftError({
      code: 'bad-image',
      where,
      expected: 'a whole image',
      found: cause instanceof Error ? [...new Set(cause.message.split('\n'))].join('; ') : String(cause),
      hint: 'The file is damaged or cut short; replace it or take it out',
      cause,
    });
  }
}

/** ITU-R 601 in 16-bit fixed point, as Pillow has it. */
function toGrey({ height, width, data }: Pixels): Pixels {
  const grey = new Uint8Array(height * width);
  for (let i = 0; i < grey.length; i++) {
    const [r = 0, g = 0, b = 0] = [data[3 * i], data[3 * i + 1], data[3 * i + 2]];
    grey[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
  }
  return { height, width, channels: 1, data: grey };
}

function badFormat(where: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'image-format',
    where,
    expected: `${Object.keys(SIGNATURES).join(', ')}, in RGB or grey with 8 bits a sample`,
    found,
    hint: 'Convert the image, or take it out',
  });
}

function tooLarge(where: string, width: number, height: number): LossgraftError {
  return new LossgraftError({
    code: 'image-too-large',
    where,
    expected: `at most ${MAX_IMAGE_PIXELS} pixels`,
    found: `${width} × ${height}`,
    hint: 'Make it smaller first',
  });
}

/** Pictures of up to this size are shown as they are. */
const SMALL_PIXELS = 64;
const MAX_THUMBNAIL = 160;

/** A small picture for a page, WebP: one of few pixels loses nothing. */
export async function encodeThumbnail({ height, width, channels, data }: Pixels): Promise<Uint8Array> {
  const raw = { width, height, channels: channels === 1 ? 1 : 3 } as const;
  const small = Math.max(width, height) <= SMALL_PIXELS;
  const side = { width: MAX_THUMBNAIL, height: MAX_THUMBNAIL, fit: 'inside', withoutEnlargement: true } as const;
  return sharp(data, { raw }).resize(side).webp({ lossless: small, quality: 82 }).toBuffer();
}
