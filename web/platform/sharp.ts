import { withoutOrientation } from './orientation.ts';

/**
 * Images as the browser decodes them, behind the calls of sharp that lossgraft makes. Colour profiles and orientation are ignored, and colours
 * are not multiplied by alpha, as in Node. Chromium's samples are those of sharp; other browsers may have another JPEG decoder.
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
}

interface Rgba {
  readonly width: number;
  readonly height: number;
  readonly rgba: Uint8ClampedArray | Uint8Array;
}

const AS_STORED: ImageBitmapOptions = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' };

function bitmapOf(bytes: Uint8Array): Promise<ImageBitmap> {
  return createImageBitmap(new Blob([withoutOrientation(bytes)]), AS_STORED);
}

async function pixelsOf(bytes: Uint8Array): Promise<Rgba> {
  const bitmap = await bitmapOf(bytes);
  const { width, height } = bitmap;
  try {
    const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
    if (context === null) throw new Error('this browser draws no images in a worker');
    context.drawImage(bitmap, 0, 0);
    const { data: rgba } = context.getImageData(0, 0, width, height);
    for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return { width, height, rgba: transparent(bitmap) };
    return { width, height, rgba };
  } finally {
    bitmap.close();
  }
}

/** A 2-D canvas multiplies colours by alpha; a texture keeps them. */
function transparent(bitmap: ImageBitmap): Uint8Array {
  const { width, height } = bitmap;
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  if (gl === null) throw new Error('transparent pixels: not configured in this browser, which has no WebGL');
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
  gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(
    gl.FRAMEBUFFER,
    gl.COLOR_ATTACHMENT0,
    gl.TEXTURE_2D,
    gl.getParameter(gl.TEXTURE_BINDING_2D),
    0,
  );
  const rgba = new Uint8Array(4 * width * height);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return rgba;
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
