import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { labelsOf, openData } from 'lossgraft';
import sharp from 'sharp';

/** The digits as folders of pictures, for docs/tutorial.md: digits/train/0/17.png is row 17, a zero. */

const SIZE = 8;

for (const part of ['train', 'test']) {
  using data = await openData(`fixtures/digits/${part}.npz`);
  const labels = await labelsOf(data);
  const pixels = (await data.columns.get('images')?.read(0, labels.length))?.data as Float32Array;
  for (const [row, label] of labels.entries()) {
    const folder = join('digits', part, String(label));
    await mkdir(folder, { recursive: true });
    const image = pixels.subarray(row * SIZE * SIZE, (row + 1) * SIZE * SIZE);
    const raw = { width: SIZE, height: SIZE, channels: 1 as const };
    await sharp(
      Uint8Array.from(image, (value) => Math.round(value * 255)),
      { raw },
    )
      .png()
      .toFile(join(folder, `${row}.png`));
  }
  console.log(`digits/${part}: ${labels.length} pictures`);
}
