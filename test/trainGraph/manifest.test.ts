import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inspect, type TrainGraphOptions, trainGraph } from '../../src/index.ts';
import { open } from '../../src/model.ts';
import { editedBytes } from '../../src/onnx/index.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';
import { readOnnx } from '../support/onnxFile.ts';

const MODEL = join(ROOT, 'fixtures/digits/model.onnx');

async function written(options: TrainGraphOptions, file = 'step.onnx'): Promise<string> {
  const folder = temporaryFolder();
  const model = await open(MODEL);
  const graph = await trainGraph(model, options);
  await graph.write(options.form === 'split' ? folder : join(folder, file), { force: true });
  model.close();
  return join(folder, file);
}

function manifestOf(path: string): Record<string, unknown> {
  return JSON.parse(readOnnx(readFileSync(path)).metadata.lossgraft ?? '{}');
}

/** All that decides the numbers of a step, where nothing was asked for. */
const DEFAULTS = {
  optimizer: 'sgd',
  optimizerOptions: { momentum: 0.9, dampening: 0, nesterov: false, weightDecay: 0 },
  clipNorm: null,
  accumulate: 1,
  noDecayForVectors: false,
  rateFactors: [],
  batchNorm: 'frozen',
  dropout: 'off',
  seed: null,
  keepTies: false,
  precision: 'float32',
};

const CHOSEN = {
  clipNorm: 2,
  accumulate: 4,
  noDecayForVectors: true,
  rateFactors: [{ pattern: 'fc2.*', factor: 10 }],
  batchNorm: 'train',
  dropout: 'train',
  seed: 7,
  keepTies: true,
  precision: 'mixed',
} as const;

describe('the manifest of a training graph', () => {
  test('says what decides the numbers, defaults too', async () => {
    const manifest = manifestOf(await written({ loss: 'ce', trainable: 'all' }));
    expect(manifest).toMatchObject({ kind: 'train', form: 'step', loss: 'ce', ...DEFAULTS });
  });

  test('says what was chosen, in the loop form with its steps', async () => {
    const chosen = { ...CHOSEN, optimizer: 'adamw', weightDecay: 0.05, form: 'loop', stepsPerRun: 4 } as const;
    expect(manifestOf(await written({ loss: 'ce', trainable: 'all', ...chosen }))).toMatchObject({
      ...CHOSEN,
      form: 'loop',
      stepsPerRun: 4,
      optimizer: 'adamw',
      optimizerOptions: { beta1: 0.9, beta2: 0.999, adamEpsilon: 1e-8, weightDecay: 0.05 },
    });
  });

  test('is the same in both files of the split form', async () => {
    const path = await written({ loss: 'ce', form: 'split', nesterov: true, clipNorm: 1 }, 'gradients.onnx');
    const manifest = manifestOf(path);
    expect(manifest).toMatchObject({ form: 'split', files: ['gradients.onnx', 'apply.onnx'], clipNorm: 1 });
    expect(manifest.optimizerOptions).toEqual({ ...DEFAULTS.optimizerOptions, nesterov: true });
    const apply = path.replace('gradients', 'apply');
    expect(manifestOf(apply)).toEqual(manifest);
    const model = await open(apply);
    expect((await inspect(model)).logits).toEqual({ problem: 'not searched for, because this graph has no logits' });
    model.close();
  });

  test('is what inspect shows, as a table and as JSON', async () => {
    const path = await written({ loss: 'ib', trainable: 'all', ...CHOSEN });
    const model = await open(path);
    const found = await inspect(model);
    model.close();
    expect(found.manifest).toEqual(manifestOf(path));
    const { stdout: json } = await lossgraft(['inspect', path, '--json']);
    expect(JSON.parse(json).manifest).toEqual(found.manifest);
    const { stdout } = await lossgraft(['inspect', path]);
    expect(stdout).toMatch(/^lossgraft +train, form step, from model.onnx, version \d/m);
    expect(stdout).toMatch(/^loss +ib, mean over the samples, alpha 1000, epsilon 0.001/m);
    expect(stdout).toMatch(/^optimizer +sgd, momentum 0.9, dampening 0, nesterov false, weight-decay 0$/m);
    expect(stdout).toMatch(/^update +clip-norm 2, accumulate 4, no-decay-for-vectors true, rate-factors fc2.\*=10$/m);
    expect(stdout).toMatch(/^mode +batch-norm train, dropout train, seed 7, keep-ties true, precision mixed$/m);
    expect(stdout).toMatch(/^state +8 parameters, 20 slots, 0 statistics$/m);
    expect(stdout).not.toMatch(/^input +conv1\.weight/m);
  });

  test('is null in a model of another’s, and a damaged one is said', async () => {
    const model = await open(MODEL);
    expect((await inspect(model)).manifest).toBeNull();
    const damaged = join(temporaryFolder(), 'damaged.onnx');
    writeFileSync(damaged, editedBytes(model.proto, { metadata: new Map([['lossgraft', '[1']]) }));
    model.close();
    const { code, stdout } = await lossgraft(['inspect', damaged]);
    expect([code, stdout.match(/^lossgraft +(.*)$/m)?.[1]]).toEqual([0, 'no JSON object in metadata "lossgraft": [1']);
  });
});
