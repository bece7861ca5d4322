/**
 * One process that trains on files: WORK, then the folder of models and one to write to. Prints as one line of JSON how long it waited
 * for data.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { type DataOptions, open, openData, type TrainOptions, train } from '../src/index.ts';
import { modelOf } from './works.ts';

interface Files {
  readonly write: (folder: string) => Promise<void>;
  readonly data: DataOptions;
  readonly options: Partial<TrainOptions>;
}

const FILES: Readonly<Record<string, Files>> = {
  'fashion-cnn': {
    write: writeIdx,
    data: { mean: [0.286], std: [0.353] },
    options: { batchSize: 128, trainable: 'all' },
  },
  mobilenet_v2: {
    write: writePictures,
    data: { resize: '256', crop: '224', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
    options: { batchSize: 32, trainable: 'head', augmentation: { flip: true } },
  },
};

const [name = '', models = '', folder = ''] = process.argv.slice(2);
const files = FILES[name];
if (!files) throw new Error(`expected one of ${Object.keys(FILES).join(', ')}, found ${name}`);
const [data, run] = [join(folder, 'data'), join(folder, 'run')];
mkdirSync(data);
await files.write(data);
const { history } = await train(await open(join(models, `${modelOf(name)}.onnx`)), {
  data: await openData(data, files.data),
  validation: 0.05,
  folder: run,
  loss: 'ce',
  optimizer: 'sgd',
  momentum: 0.9,
  learningRate: 0.001,
  epochs: 3,
  report: false,
  ...files.options,
});
const sum = (key: 'trainSeconds' | 'waitSeconds'): number => history.reduce((all, epoch) => all + (epoch[key] ?? 0), 0);
const epochs = history.filter(({ trainSeconds }) => trainSeconds !== undefined).length;
const [seconds, waited] = [sum('trainSeconds'), sum('waitSeconds')];
console.log(JSON.stringify({ epochSeconds: seconds / epochs, share: waited / seconds }));

/** In the manner of Fashion-MNIST, a fifth as many. */
async function writeIdx(to: string): Promise<void> {
  const [rows, pixels] = [12_000, 28 * 28];
  const images = new Uint8Array(16 + rows * pixels);
  const header = new DataView(images.buffer);
  for (const [i, word] of [0x803, rows, 28, 28].entries()) header.setUint32(4 * i, word);
  for (let i = 16; i < images.length; i++) images[i] = 127 + 120 * Math.sin(i * i);
  writeFileSync(join(to, 'train-images-idx3-ubyte'), images);
  const labels = new Uint8Array(8 + rows);
  const head = new DataView(labels.buffer);
  for (const [i, word] of [0x801, rows].entries()) head.setUint32(4 * i, word);
  for (let i = 0; i < rows; i++) labels[8 + i] = i % 10;
  writeFileSync(join(to, 'train-labels-idx1-ubyte'), labels);
}

/** JPEGs of 320 × 256 pixels in four classes, waves of several lengths: some 20 KB each. */
async function writePictures(to: string): Promise<void> {
  const [width, height] = [320, 256];
  for (let n = 0; n < 320; n++) {
    const kind = join(to, `waves${n % 4}`);
    mkdirSync(kind, { recursive: true });
    const raw = new Uint8Array(3 * width * height);
    for (let i = 0; i < raw.length; i++) {
      const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
      const fine = 35 * Math.sin((x * x + y * (n + 20)) / 50);
      raw[i] = 127 + 60 * Math.sin((x * ((n % 7) + 1) + 30 * (i % 3)) / 40) + 30 * Math.cos((y * n) / 30) + fine;
    }
    await sharp(raw, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 90 })
      .toFile(join(kind, `${n}.jpg`));
  }
}
