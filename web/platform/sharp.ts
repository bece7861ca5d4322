/**
 * Images as the browser decodes them, behind the calls of sharp that lossgraft makes. Colour profiles and orientation are ignored, and colours
 * are not multiplied by alpha, as in Node. The browser has another JPEG decoder: its samples may differ from libjpeg's by 1 or 2 of 255.
 */

interface Raw {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

interface Metadata {
  readonly space: 'srgb';
  readonly depth: 'uchar';
  readonly width: number;
  readonly height: number;
}

interface Decoded {
  readonly data: Buffer;
  readonly info: { readonly width: number; readonly height: number; readonly channels: number };
}

export interface Sharp {
  metadata(): Promise<Metadata>;
  removeAlpha(): Sharp;
  pipelineColourspace(space: string): Sharp;
  toColourspace(space: string): Sharp;
  raw(options?: object): Sharp;
  resize(side: { readonly width: number; readonly height: number }): Sharp;
  webp(options: object): Sharp;
  toBuffer(): Promise<Buffer>;
  toBuffer(options: { readonly resolveWithObject: true }): Promise<Decoded>;
}

function sharp(bytes: Uint8Array, { raw }: { readonly raw?: Raw } = {}): Sharp {
  return new Picture(bytes, raw);
}

export { sharp as default };

class Picture implements Sharp {
  readonly #bytes: Uint8Array;
  readonly #raw: Raw | undefined;
  #limit = Number.POSITIVE_INFINITY;

  constructor(bytes: Uint8Array, raw: Raw | undefined) {
    this.#bytes = bytes;
    this.#raw = raw;
  }

  async metadata(): Promise<Metadata> {
    refuseUnread(this.#bytes);
    const bitmap = await bitmapOf(this.#bytes);
    const { width, height } = bitmap;
    bitmap.close();
    return { space: 'srgb', depth: 'uchar', width, height };
  }

  removeAlpha(): Sharp {
    return this;
  }

  pipelineColourspace(): Sharp {
    return this;
  }

  toColourspace(): Sharp {
    return this;
  }

  raw(): Sharp {
    return this;
  }

  webp(): Sharp {
    return this;
  }

  resize({ width }: { readonly width: number }): Sharp {
    this.#limit = width;
    return this;
  }

  toBuffer(): Promise<Buffer>;
  toBuffer(options: { readonly resolveWithObject: true }): Promise<Decoded>;
  async toBuffer(options?: object): Promise<Buffer | Decoded> {
    if (this.#raw !== undefined) return encode(this.#bytes, this.#raw, this.#limit);
    const { width, height, rgba } = await pixelsOf(this.#bytes);
    const data = Buffer.alloc(3 * width * height);
    for (let i = 0; i < width * height; i++) data.set(rgba.subarray(4 * i, 4 * i + 3), 3 * i);
    return options === undefined ? data : { data, info: { width, height, channels: 3 } };
  }
}

/** What a browser reads otherwise than lossgraft in Node does, or not at all. */
function refuseUnread(bytes: Uint8Array): void {
  const [first = 0] = bytes;
  if (first === 0x49 || first === 0x4d) throw new Error('TIFF: a decoder is not configured in browsers');
  if (first === 0x89 && bytes[24] === 16) throw new Error('PNG with 16 bits a sample: not configured in browsers');
  if (first === 0xff && jpegComponents(bytes) === 4) throw new Error('a CMYK JPEG: not configured in browsers');
}

/** Of the first frame header (SOF). */
function jpegComponents(bytes: Uint8Array): number {
  for (let at = 2; at + 9 < bytes.length; ) {
    const marker = bytes[at + 1] ?? 0;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return bytes[at + 9] ?? 0;
    at += 2 + 256 * (bytes[at + 2] ?? 0) + (bytes[at + 3] ?? 0);
  }
  return 0;
}

interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray | Uint8Array;
}

const AS_STORED: ImageBitmapOptions = {
  colorSpaceConversion: 'none',
  premultiplyAlpha: 'none',
  imageOrientation: 'from-image',
};

function bitmapOf(bytes: Uint8Array): Promise<ImageBitmap> {
  return createImageBitmap(new Blob([Uint8Array.from(bytes)]), AS_STORED);
}

async function pixelsOf(bytes: Uint8Array): Promise<Rgba> {
  const bitmap = await bitmapOf(bytes);
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (context === null) throw new Error('this browser draws no images in a worker');
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data: rgba } = context.getImageData(0, 0, width, height);
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return transparent(bytes);
  return { width, height, rgba };
}

/** A canvas multiplies colours by alpha; a decoder of its own leaves them as they are. */
async function transparent(bytes: Uint8Array): Promise<Rgba> {
  if (typeof ImageDecoder === 'undefined')
    throw new Error('transparent pixels: not configured in this browser, which has no ImageDecoder');
  const decoder = new ImageDecoder({
    data: Uint8Array.from(bytes),
    type: typeOf(bytes),
    colorSpaceConversion: 'none',
    preferAnimation: false,
  });
  const { image } = await decoder.decode();
  const { displayWidth: width, displayHeight: height } = image;
  const rgba = new Uint8Array(image.allocationSize({ format: 'RGBA' }));
  await image.copyTo(rgba, { format: 'RGBA' });
  image.close();
  decoder.close();
  return { width, height, rgba };
}

function typeOf([first]: Uint8Array): string {
  return first === 0x89 ? 'image/png' : first === 0x47 ? 'image/gif' : 'image/webp';
}

/** A small picture for the report. */
async function encode(data: Uint8Array, { width, height, channels }: Raw, limit: number): Promise<Buffer> {
  const rgba = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = data[channels * i + (channels === 1 ? 0 : c)] ?? 0;
    rgba[4 * i + 3] = 255;
  }
  const bitmap = await createImageBitmap(new ImageData(rgba, width, height));
  const scale = Math.min(1, limit / Math.max(width, height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(scale * width)), Math.max(1, Math.round(scale * height)));
  canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 0.82 });
  return Buffer.from(await blob.arrayBuffer());
}
