import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { zipSync } from 'fflate';
import sharp from 'sharp';
import { onnx } from '../onnx/models.ts';

/** A classifier and images that are made when a test runs: three kinds of shapes, one of them rare. */

/** In the order of the model's scores, which is not the sorted one. */
export const KINDS = ['stripe', 'disc', 'ring'] as const;
const COUNTS: Readonly<Record<(typeof KINDS)[number], number>> = { stripe: 60, disc: 45, ring: 20 };

/** Uniform numbers from 0 to 1, the same in every run (Park and Miller's generator). */
function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Weights drawn at random, smaller the more of them a sum has. */
function weight(next: () => number, name: string, dims: readonly number[], fan: number) {
  const count = dims.reduce((a, b) => a * b, 1);
  const floatData = Array.from({ length: count }, () => (2 * next() - 1) * Math.sqrt(3 / fan));
  return { name, dims: [...dims], dataType: 1, floatData };
}

function value(name: string, dims: readonly (string | number)[]) {
  const dim = dims.map((each) => (typeof each === 'string' ? { dimParam: each } : { dimValue: each }));
  return { name, type: { tensorType: { elemType: 1, shape: { dim } } } };
}

/** `Gemm(x, w, b) -> y`, with attributes of whole numbers. */
function node(call: string, attributes: Readonly<Record<string, readonly number[]>> = {}) {
  const [, opType = '', inputs = '', output = ''] = /^(\w+)\((.*)\) -> (\w+)$/.exec(call) ?? [];
  const attribute = Object.entries(attributes).map(([name, ints]) => ({ name, type: 7, ints: [...ints] }));
  return { name: output, opType, input: inputs.split(', '), output: [output], attribute };
}

/** Gemm, Relu, Gemm on three numbers, for three classes. */
export function tableModel(): Uint8Array {
  const next = uniform(5);
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    graph: {
      name: 'table',
      node: [node('Gemm(x, w1, b1) -> g'), node('Relu(g) -> h'), node('Gemm(h, w2, b2) -> logits')],
      initializer: [
        ...[weight(next, 'w1', [3, 8], 3), weight(next, 'b1', [8], 3)],
        ...[weight(next, 'w2', [8, 3], 8), weight(next, 'b2', [3], 8)],
      ],
      input: [value('x', ['N', 3])],
      output: [value('logits', ['N', 3])],
    },
  });
  return onnx.ModelProto.encode(model).finish();
}

/** Conv, Relu, MaxPool, Conv, Relu, mean, Gemm on images [N, 3, 16, 16], with weights drawn at random; its metadata name the classes. */
export function shapesModel(): Uint8Array {
  const next = uniform(7);
  const padded = { kernel_shape: [3, 3], pads: [1, 1, 1, 1] };
  const model = onnx.ModelProto.create({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 17 }],
    metadataProps: [{ key: 'names', value: `{${KINDS.map((kind, k) => `${k}: '${kind}'`).join(', ')}}` }],
    graph: {
      name: 'shapes',
      node: [
        node('Conv(images, w1, b1) -> c1', padded),
        node('Relu(c1) -> r1'),
        node('MaxPool(r1) -> p1', { kernel_shape: [2, 2], strides: [2, 2] }),
        node('Conv(p1, w2, b2) -> c2', padded),
        node('Relu(c2) -> r2'),
        node('GlobalAveragePool(r2) -> g'),
        node('Flatten(g) -> features'),
        node('Gemm(features, w3, b3) -> logits'),
      ],
      initializer: [
        ...[weight(next, 'w1', [8, 3, 3, 3], 27), weight(next, 'b1', [8], 27)],
        ...[weight(next, 'w2', [16, 8, 3, 3], 72), weight(next, 'b2', [16], 72)],
        ...[weight(next, 'w3', [16, KINDS.length], 16), weight(next, 'b3', [KINDS.length], 16)],
      ],
      input: [value('images', ['N', 3, 16, 16])],
      output: [value('logits', ['N', KINDS.length])],
    },
  });
  return onnx.ModelProto.encode(model).finish();
}

/** PNG files of 20 × 24 pixels by their paths, `shapes/ring/3.png`. */
async function shapesImages(): Promise<Readonly<Record<string, Uint8Array>>> {
  const next = uniform(11);
  const files: Record<string, Uint8Array> = {};
  for (const kind of KINDS) {
    for (let i = 0; i < COUNTS[kind]; i++) {
      const data = drawn(kind, next);
      const png = sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } }).png();
      files[`shapes/${kind}/${i}.png`] = new Uint8Array(await png.toBuffer());
    }
  }
  return files;
}

const WIDTH = 24;
const HEIGHT = 20;

function drawn(kind: string, next: () => number): Uint8Array {
  const [x0, y0, size] = [8 + 8 * next(), 7 + 6 * next(), 4 + 3 * next()];
  const colour = [next(), next(), next()].map((share) => 90 + 160 * share);
  const data = new Uint8Array(3 * WIDTH * HEIGHT);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const far = Math.hypot(x - x0, y - y0);
      const isInk =
        kind === 'stripe' ? Math.abs(y - y0) < size / 2 : kind === 'disc' ? far < size : far < size && far > size - 2.5;
      for (const [c, light] of colour.entries())
        data[3 * (y * WIDTH + x) + c] = Math.min(255, (isInk ? light : 20) + 40 * next());
    }
  }
  return data;
}

/** Writes shapes.onnx, and the images as files and as shapes.zip. */
export async function writeShapes(folder: string): Promise<void> {
  const images = await shapesImages();
  for (const [path, bytes] of Object.entries({
    ...images,
    'shapes.onnx': shapesModel(),
    'shapes.zip': zipSync({ ...images }),
  })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes);
  }
}
