import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open, type TrainGraph, type TrainGraphOptions, trainGraph, VERSION } from '../../src/index.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { readOnnx } from '../support/onnxFile.ts';
import { parseSafetensors } from '../support/safetensors.ts';

const COUNTS = [130, 90, 63, 44, 31, 21, 15, 10, 7, 5];
const MODEL = readFileSync(join(ROOT, 'fixtures/digits/model.onnx'));
const WEIGHTS = readOnnx(MODEL).weights;

/** A copy of the digits classifier in a folder of its own, and what is made of it. */
async function inFolder<T>(
  options: Partial<TrainGraphOptions>,
  act: (graph: TrainGraph, folder: string) => Promise<T>,
): Promise<T> {
  const folder = temporaryFolder();
  copyFileSync(join(ROOT, 'fixtures/digits/model.onnx'), join(folder, 'net.onnx'));
  const model = await open(join(folder, 'net.onnx'));
  try {
    const given: TrainGraphOptions = { loss: 'ib', classCounts: COUNTS, alpha: 500, trainable: 'all', ...options };
    return await act(await trainGraph(model, given), folder);
  } finally {
    model.close();
  }
}

function manifestOf(path: string): Record<string, unknown> {
  return JSON.parse(readOnnx(readFileSync(path)).metadata.lossgraft ?? '{}');
}

function shapeOf(name: string): readonly number[] {
  const sizes: Record<string, readonly number[]> = {
    'conv1.weight': [8, 1, 3, 3],
    'conv1.bias': [8],
    'conv2.weight': [16, 8, 3, 3],
    'conv2.bias': [16],
    'fc1.weight': [64, 128],
    'fc1.bias': [64],
    'fc2.weight': [10, 64],
    'fc2.bias': [10],
  };
  return sizes[name] ?? [];
}

describe('what is written', () => {
  const form = { form: 'loop', stepsPerRun: 20, optimizer: 'adamw', trainable: 'fc*' } as const;

  it('says of itself what a tool needs', async () => {
    await inFolder(form, async (graph, folder) => {
      await graph.write(join(folder, 'step.onnx'));
      const { states, options, ...manifest } = manifestOf(join(folder, 'step.onnx'));
      expect(manifest).toMatchObject({
        version: VERSION,
        kind: 'train',
        form: 'loop',
        stepsPerRun: 20,
        files: ['step.onnx'],
        loss: 'ib',
        reduction: 'mean',
        classes: 10,
        logits: { name: 'logits' },
        features: { name: '/relu_2/Relu_output_0' },
        names: { labels: 'labels', loss: 'loss' },
        optimizer: 'adamw',
        trainable: ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias'],
        source: { file: 'net.onnx', sha256: createHash('sha256').update(MODEL).digest('hex') },
      });
      expect((manifest.classWeights as { values: number[] }).values).toHaveLength(10);
      expect(options).toMatchObject({ alpha: 500, epsilon: 1e-3 });
      const dtype = 'float32';
      const expected = (manifest.trainable as string[]).flatMap((name) => [
        { name, kind: 'parameter', dtype, shape: shapeOf(name) },
        { name: `${name}.exp_avg`, kind: 'slot', dtype, shape: shapeOf(name) },
        { name: `${name}.exp_avg_sq`, kind: 'slot', dtype, shape: shapeOf(name) },
        { name: `${name}.step`, kind: 'slot', dtype, shape: [] },
      ]);
      expect(states).toEqual(expected);
    });
  });

  it('has the state beside it, the weights of the model and zeros', async () => {
    await inFolder(form, async (graph, folder) => {
      const files = await graph.write(join(folder, 'step.onnx'));
      expect(files).toEqual(['step.onnx', 'step.safetensors'].map((name) => join(folder, name)));
      const { tensors, metadata } = parseSafetensors(readFileSync(join(folder, 'step.safetensors')));
      expect(metadata).toEqual({ lossgraft: VERSION, model: 'net.onnx' });
      const { states } = manifestOf(join(folder, 'step.onnx')) as { states: { name: string; shape: number[] }[] };
      expect([...tensors].map(([name, { shape }]) => ({ name, shape }))).toEqual(
        states.map(({ name, shape }) => ({ name, shape })),
      );
      for (const [name, { data }] of tensors) {
        expect(data, name).toEqual(WEIGHTS.get(name) ?? new Array<number>(data.length).fill(0));
      }
      expect([...tensors.keys()].filter((name) => WEIGHTS.has(name))).toHaveLength(4);
    });
  });

  it('is two graphs and a state in a folder, in the split form', async () => {
    await inFolder({ form: 'split' }, async (graph, folder) => {
      const out = join(folder, 'new');
      await graph.write(out);
      expect(readdirSync(out).sort()).toEqual(['apply.onnx', 'gradients.onnx', 'state.safetensors']);
      for (const name of ['apply.onnx', 'gradients.onnx']) {
        expect(manifestOf(join(out, name))).toMatchObject({ form: 'split', files: ['gradients.onnx', 'apply.onnx'] });
      }
      const { tensors } = parseSafetensors(readFileSync(join(out, 'state.safetensors')));
      expect(tensors.size).toBe(16);
    });
  });

  it('holds what bytes() holds, but for the hash of the file', async () => {
    await inFolder({}, async (graph, folder) => {
      await graph.write(join(folder, 'step.onnx'));
      const { metadata: _, ...written } = readOnnx(readFileSync(join(folder, 'step.onnx')));
      const { metadata: __, ...held } = readOnnx(graph.bytes().get('step.onnx') ?? new Uint8Array());
      expect(written).toEqual(held);
    });
  });
});

describe('the model', () => {
  it.each(['step', 'loop', 'split'] as const)('is left as it was by the form %s', async (name) => {
    await inFolder({ form: name }, async (graph, folder) => {
      await graph.write(join(folder, name === 'split' ? 'out' : 'out.onnx'));
      expect(readFileSync(join(folder, 'net.onnx')).equals(MODEL)).toBe(true);
    });
  });

  it('is not written over, with force either', async () => {
    await inFolder({}, async (graph, folder) => {
      await expect(graph.write(join(folder, 'net.onnx'), { force: true })).rejects.toMatchObject({
        code: 'output-is-input',
      });
      expect(readFileSync(join(folder, 'net.onnx')).equals(MODEL)).toBe(true);
      expect(readdirSync(folder)).toEqual(['net.onnx']);
    });
  });
});

describe('an output that is there already', () => {
  it.each(['step.onnx', 'step.safetensors'])('%s is kept, and nothing else is written', async (taken) => {
    await inFolder({}, async (graph, folder) => {
      writeFileSync(join(folder, taken), 'mine');
      await expect(graph.write(join(folder, 'step.onnx'))).rejects.toMatchObject({ code: 'output-exists' });
      expect(readFileSync(join(folder, taken), 'utf8')).toBe('mine');
      expect(readdirSync(folder).sort()).toEqual(['net.onnx', taken]);
      await graph.write(join(folder, 'step.onnx'), { force: true });
      expect(parseSafetensors(readFileSync(join(folder, 'step.safetensors'))).tensors.size).toBe(16);
    });
  });

  it('in a folder for the split form is kept too', async () => {
    await inFolder({ form: 'split' }, async (graph, folder) => {
      writeFileSync(join(folder, 'apply.onnx'), 'mine');
      await expect(graph.write(folder)).rejects.toMatchObject({ code: 'output-exists' });
      expect(existsSync(join(folder, 'gradients.onnx'))).toBe(false);
      await expect(graph.write(join(folder, 'net.onnx'))).rejects.toMatchObject({ code: 'output-folder' });
    });
  });
});
