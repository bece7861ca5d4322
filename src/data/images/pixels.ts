import type { Pixels } from './resample.ts';

/** The decoder's output: bytes or 16-bit numbers, 1 (grey), 3 (RGB) or 4 (CMYK) per pixel. */
export interface Raster {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly data: Uint8Array | Uint16Array;
}

/** RGB in bytes as Pillow makes it: the high bytes of 16 bits, and its own rule for CMYK. */
export function toRgb({ height, width, channels, data }: Raster): Pixels {
  const bytes = data instanceof Uint16Array ? Uint8Array.from(data, (value) => value >> 8) : data;
  if (channels === 3) return { height, width, channels: 3, data: bytes };
  const rgb = new Uint8Array(3 * height * width);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = channels === 4 ? inkToLight(bytes, i, c) : (bytes[i * channels] ?? 0);
  }
  return { height, width, channels: 3, data: rgb };
}

/** (255 − K) − ink · (255 − K) / 255, rounded as Pillow's MULDIV255. */
function inkToLight(cmyk: Uint8Array, pixel: number, ink: number): number {
  const light = 255 - (cmyk[4 * pixel + 3] ?? 0);
  const product = (cmyk[4 * pixel + ink] ?? 0) * light + 128;
  return light - (((product >> 8) + product) >> 8);
}

/** ITU-R 601 in 16-bit fixed point, like Pillow. */
export function toGrey({ height, width, data }: Pixels): Pixels {
  const grey = new Uint8Array(height * width);
  for (let i = 0; i < grey.length; i++) {
    const [r = 0, g = 0, b = 0] = [data[3 * i], data[3 * i + 1], data[3 * i + 2]];
    grey[i] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
  }
  return { height, width, channels: 1, data: grey };
}

/** Puts a picture onto a screen of one colour. */
export function onScreen(
  picture: Pixels,
  {
    left,
    top,
    screen,
    rest,
  }: { left: number; top: number; screen: { height: number; width: number }; rest: readonly number[] },
): Pixels {
  if (picture.height === screen.height && picture.width === screen.width) return picture;
  const data = new Uint8Array(3 * screen.height * screen.width);
  for (let i = 0; i < data.length; i++) data[i] = rest[i % 3] ?? 0;
  for (let row = 0; row < picture.height; row++) {
    const line = picture.data.subarray(3 * row * picture.width, 3 * (row + 1) * picture.width);
    data.set(line, 3 * ((top + row) * screen.width + left));
  }
  return { ...screen, channels: 3, data };
}
