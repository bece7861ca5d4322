import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { augment, open, trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { DataType, Tensor } from '../../src/tensor.ts';
import { worstRatio } from '../support/gradientCases.ts';

interface SizeCase {
  readonly name: string;
  readonly proves: string;
  readonly torch: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly dtype: DataType;
    readonly dims: readonly number[];
    readonly data: readonly number[];
  }[];
  readonly labels: readonly number[];
  readonly grad: readonly number[];
}

const FOLDER = new URL('../../fixtures/sizes/', import.meta.url);
const cases: readonly SizeCase[] = JSON.parse(readFileSync(new URL('cases.json', FOLDER), 'utf8')).cases;
const RTOL = 2e-5;

function pathOf(name: string): string {
  return fileURLToPath(new URL(`${name}.onnx`, FOLDER));
}

function feedsOf({ inputs, labels }: SizeCase): Record<string, Tensor> {
  const feeds = inputs.map(({ name, dtype, dims, data }): [string, Tensor] => [
    name,
    { dtype, dims, data: dtype === 'int64' ? BigInt64Array.from(data, BigInt) : Float32Array.from(data) },
  ]);
  const classes = { dtype: 'int64', dims: [labels.length], data: BigInt64Array.from(labels, BigInt) } as const;
  return { ...Object.fromEntries(feeds), labels: classes };
}

async function gradientOf(bytes: Uint8Array, feeds: Record<string, Tensor>): Promise<number[]> {
  const session = await openSession(bytes);
  try {
    const results = await session.run(feeds, ['c.weight.grad']);
    const gradient = results['c.weight.grad'];
    return gradient ? toNumbers(gradient) : [];
  } finally {
    await session.close();
  }
}

function expectGradient(found: readonly number[], { grad, torch }: SizeCase): void {
  const ratio = worstRatio(found, { dims: [grad.length], data: grad }, RTOL, 1e-8);
  expect(ratio, `c.weight.grad of ${torch}: ${found.slice(0, 6)} for ${grad.slice(0, 6)}`).toBeLessThanOrEqual(1);
}

describe('gradients are PyTorch’s where sizes are other than the runtime infers, or the file says', () => {
  test.each(cases.map((c) => [c.name, c] as const))('%s, beside the losses', async (name, c) => {
    const model = await open(pathOf(name));
    const augmented = await augment(model, { loss: 'ce', grad: ['parameters'] });
    expectGradient(await gradientOf(augmented.bytes(), feedsOf(c)), c);
    model.close();
  });

  test.each(cases.map((c) => [c.name, c] as const))('%s, in a training graph', async (name, c) => {
    const model = await open(pathOf(name));
    const graph = await trainGraph(model, { loss: 'ce', optimizer: 'sgd', trainable: 'all', form: 'split' });
    const bytes = graph.bytes().get('gradients.onnx') ?? new Uint8Array();
    const weights = [...graph.initialState()].filter(([tensor]) => !tensor.endsWith('.momentum'));
    expectGradient(await gradientOf(bytes, { ...feedsOf(c), ...Object.fromEntries(weights) }), c);
    model.close();
  });
});

describe('what is said of sizes', () => {
  const notesOf = async (name: string): Promise<readonly string[]> => {
    const model = await open(pathOf(name));
    const { report } = await augment(model, { loss: 'ce' });
    const graph = await trainGraph(model, { loss: 'ce', optimizer: 'sgd', trainable: 'all', form: 'step' });
    model.close();
    expect(graph.report.notes.filter((note) => note.includes('declares'))).toEqual(
      report.notes.filter((note) => note.includes('declares')),
    );
    return report.notes;
  };

  test('a batch that value infos or the declared output alone fix is free', async () => {
    expect(await notesOf('stale-batch')).toEqual([
      'The file declares the output "logits" as [1, 3], but the model gives [N, 3]; lossgraft uses what the model gives',
    ]);
  });

  test('an output of another size than it is declared', async () => {
    expect(await notesOf('declared-otherwise')).toEqual([
      'The file declares the output "logits" as [N, 5], but the model gives [N, 3]; lossgraft uses what the model gives',
    ]);
  });

  test('the losses alone are right behind stale value infos, where the runtime’s own logits are not', async () => {
    const c = cases.find(({ name }) => name === 'stale-reshape');
    const model = await open(pathOf('stale-reshape'));
    const augmented = await augment(model, { loss: 'ce' });
    const session = await openSession(augmented.bytes());
    const { loss_per_sample: losses, logits } = await session.run(feedsOf(c ?? expect.fail()));
    expect([losses?.dims, logits?.dims]).toEqual([[3], [3, 3]]);
    await session.close();
    model.close();
  });

  test('a model that does not run on noise', async () => {
    const model = await open(pathOf('not-on-noise'));
    const { report } = await augment(model, { loss: 'ce', grad: ['parameters'] });
    expect(report.notes.join()).toMatch(/fails on random inputs, so its graphs read sizes at run time \(.*Gather/);
    model.close();
  });
});

describe('refused before the work', () => {
  const data = { x: { dtype: 'float32', dims: [6, 4], data: new Float32Array(24) } } as const;

  test('a batch of dim_value 0, which the runtime takes literally', async () => {
    const model = await open(pathOf('batch-of-0'));
    const refused = expect.objectContaining({ code: 'empty-input' });
    await expect(augment(model, { loss: 'ce' })).rejects.toEqual(refused);
    await expect(trainGraph(model, { loss: 'ce', optimizer: 'sgd', trainable: 'all', form: 'step' })).rejects.toEqual(
      refused,
    );
    const session = await openSession(pathOf('batch-of-0'));
    await expect(session.run(data)).rejects.toThrow();
    await session.close();
    const { report, bytes } = await augment(model, { loss: 'ce', dynamicBatch: true });
    expect(report.notes.join()).toContain('fixed at 0, is now free');
    const labels = { dtype: 'int64', dims: [6], data: new BigInt64Array(6) } as const;
    const freed = await openSession(bytes());
    expect((await freed.run({ ...data, labels })).loss_per_sample?.dims).toEqual([6]);
    await freed.close();
    model.close();
  });

  test('external data at a negative offset', async () => {
    await expect(open(pathOf('negative-offset'))).rejects.toThrow(
      /a count of bytes as offset of external_data, found "-8"/,
    );
  });
});
