import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AugmentOptions, inspect, open, trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { needsReference, python } from '../onnx/python.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { augmentFile, changedOutputs, inputsOf, runBytes, seededFeeds, withOutputs } from '../support/grafted.ts';
import { ORACLES } from '../support/multiLabelOracle.ts';
import { worstRelative } from '../support/runLoss.ts';
import { hostPath, refusalOf } from './hosts.ts';

const HEADS = join(ROOT, 'fixtures/heads');
const FILES = [hostPath('sigmoid'), hostPath('logits-and-sigmoid'), join(HEADS, 'multi_label.onnx')];
const LOSSES: readonly AugmentOptions['loss'][] = [
  'bce',
  'sigmoid-focal',
  'asymmetric',
  'zlpr',
  'sigmoid-ib',
  'sigmoid-ib-focal',
];

/** Rows of 0 and 1, one row of none and one of all. */
function hot(rows: number, classes: number): Tensor {
  const data = Float32Array.from({ length: rows * classes }, (_, i) => {
    const row = Math.floor(i / classes);
    return row === 0 ? 0 : row === 1 ? 1 : (i * 7) % 3 === 0 ? 1 : 0;
  });
  return { dtype: 'float32', dims: [rows, classes], data };
}

function rowsOf(tensor: Tensor | undefined, width: number): number[][] {
  const numbers = tensor ? toNumbers(tensor) : [];
  return Array.from({ length: numbers.length / width }, (_, i) => numbers.slice(i * width, (i + 1) * width));
}

describe.each(FILES)('%s', (path) => {
  it.each(LOSSES)('%s: outputs stay as they are, and the losses are the formula’s', async (loss) => {
    const { report, bytes } = await augmentFile(path, { loss } as AugmentOptions);
    expect(report).toMatchObject({ task: 'multi-label', head: { kind: 'sigmoid-multi-label', isStated: true } });
    const feeds = seededFeeds(await inputsOf(path), { N: 3 }, 5);
    const classes = report.classes ?? 0;
    const labels = hot(3, classes);
    const inner = [report.logits.name, ...(report.features ? [report.features.name] : [])];
    const after = await runBytes(withOutputs(bytes, inner), { ...feeds, labels });
    expect(changedOutputs(await runBytes(path, feeds), after)).toEqual([]);
    const features = after[inner[1] ?? ''];
    const norms = rowsOf(features, features ? toNumbers(features).length / 3 : 1);
    const expected = rowsOf(after[report.logits.name], classes).map((logits, i) =>
      ORACLES[report.loss]?.({
        logits,
        labels: toNumbers(labels).slice(i * classes, (i + 1) * classes),
        norm: (norms[i] ?? []).reduce((sum, h) => sum + Math.abs(h), 0),
      }),
    );
    const losses = after.loss_per_sample ? toNumbers(after.loss_per_sample) : [];
    expect(worstRelative(losses, expected.map(Number))).toBeLessThan(5e-6);
  });

  it.each([
    ['ce', 'bce'],
    ['focal', 'sigmoid-focal'],
    ['ib', 'sigmoid-ib'],
    ['ib-focal', 'sigmoid-ib-focal'],
  ] as const)('%s is %s here, and that is said', async (loss, form) => {
    const { report } = await augmentFile(path, { loss });
    expect(report.loss).toBe(form);
    expect(report.notes).toContainEqual(
      expect.stringMatching(new RegExp(`^${loss} on a multi-label head is the loss ${form}: `)),
    );
  });

  it('a loss for exclusive classes alone is refused, with both ways out', async () => {
    const { code, message } = await refusalOf(path, { loss: 'poly1' });
    expect(code).toBe('task-mismatch');
    expect(message).toMatch(/such as bce; or, where each sample has exactly one class, `task: "exclusive"`/);
    const { report } = await augmentFile(path, { loss: 'poly1', task: 'exclusive' });
    expect(report.head.kind).toBe('softmax');
    expect(report.notes).toEqual([expect.stringMatching(/treats its classes as exclusive \(softmax\)$/)]);
  });

  it('inspect tells what can be trained', async () => {
    const model = await open(path);
    const { head, logits, trainable } = await inspect(model);
    model.close();
    expect(head?.kind).toBe('sigmoid-multi-label');
    expect(logits).toMatchObject({ how: expect.stringMatching(/input of the final Sigmoid|model output/) });
    expect(trainable.problem).toBeNull();
  });
});

describe('scores of which the file says nothing', () => {
  it.each(['bce', 'zlpr'] as const)('%s says that a sample may have several labels', async (loss) => {
    expect((await augmentFile(join(HEADS, 'bare.onnx'), { loss })).report.task).toBe('multi-label');
  });

  it('ib has to be told', async () => {
    const path = join(HEADS, 'bare.onnx');
    expect((await augmentFile(path, { loss: 'ib' })).report).toMatchObject({ loss: 'ib', task: 'exclusive' });
    expect((await augmentFile(path, { loss: 'ib', task: 'multi-label' })).report).toMatchObject({ loss: 'sigmoid-ib' });
  });

  it('a softmax that the file states is no multi-label head', async () => {
    const found = await refusalOf(join(HEADS, 'softmax.onnx'), { loss: 'bce' });
    expect(found.code).toBe('task-mismatch');
    expect(found.message).toMatch(/A softmax shares 1 among the classes/);
  });

  it('nor is one score per sample', async () => {
    const found = await refusalOf(join(HEADS, 'binary_n1.onnx'), { loss: 'bce' });
    expect(found.message).toMatch(/labels are class indices \(0 or 1\), and the loss ce is its binary cross-entropy/);
  });
});

describe('weights', () => {
  const path = hostPath('sigmoid');
  const counts = [40, 300, 7, 120];

  it.each<[string, object, number[], true | undefined]>([
    ['inverse, of labels', { classCounts: counts }, [], undefined],
    ['pos_weight, one for all', { classWeights: 'positive', posWeight: 3 }, [3], true],
    [
      'pos_weight from counts',
      { classWeights: 'positive', classCounts: counts, sampleCount: 400 },
      [9, 1 / 3, 393 / 7, 280 / 120],
      true,
    ],
    ['pos_weight, a list', { positiveWeights: [1, 2, 3, 4] }, [1, 2, 3, 4], true],
  ])('%s', async (_, options, values, isPositive) => {
    const { report } = await augmentFile(path, { loss: 'bce', ...options } as AugmentOptions);
    expect(report.classWeights?.isPositive).toBe(isPositive);
    if (values.length > 0) expect(report.classWeights?.values).toEqual(values);
  });

  it.each<[string, object, string, RegExp]>([
    [
      'no number of samples',
      { loss: 'bce', classWeights: 'positive', classCounts: counts },
      'option-needs-option',
      /sampleCount/,
    ],
    [
      'no number of samples for a loss',
      { loss: 'distribution-balanced', classCounts: counts },
      'option-needs-option',
      /sampleCount/,
    ],
    [
      'no place for weights',
      { loss: 'zlpr', classWeights: 'inverse', classCounts: counts },
      'unused-option',
      /no place for weights/,
    ],
    ['as many as labels', { loss: 'bce', positiveWeights: [1, 2] }, 'class-count-mismatch', /expected 4/],
  ])('%s: refused', async (_, options, code, message) => {
    const found = await refusalOf(path, options as unknown as AugmentOptions);
    expect(found.code).toBe(code);
    expect(found.message).toMatch(message);
  });

  it('positive weights are for multi-label losses', async () => {
    const found = await refusalOf(path, { loss: 'ce', task: 'exclusive', positiveWeights: [1, 2, 3, 4] });
    expect(found.code).toBe('unused-option');
  });
});

describe('a training step', () => {
  it.each(['loop', 'step'] as const)('%s: labels are float32 of a row per sample', async (form) => {
    const model = await open(hostPath('sigmoid'));
    const graph = await trainGraph(model, { loss: 'asymmetric', form, ...(form === 'loop' ? { stepsPerRun: 2 } : {}) });
    const path = join(temporaryFolder(), 'step.onnx');
    writeFileSync(path, graph.bytes().get('step.onnx') ?? '');
    model.close();
    const labels = (await inputsOf(path)).find(({ name }) => name === 'labels');
    expect(labels?.dtype).toBe('float32');
    expect(labels?.shape).toHaveLength(form === 'loop' ? 3 : 2);
  });
});

describe('the CUDA provider', () => {
  it.each(LOSSES)('has kernels for all of %s and its gradients', async (loss) => {
    const { bytes } = await augmentFile(hostPath('sigmoid'), {
      loss,
      grad: ['logits', 'parameters'],
    } as AugmentOptions);
    const file = join(temporaryFolder(), 'augmented.onnx');
    writeFileSync(file, bytes);
    const model = await open(file);
    const { ops } = await inspect(model);
    model.close();
    expect(ops.filter(({ cuda }) => cuda.status !== 'cuda').map(({ op, cuda }) => [op, cuda.status])).toEqual([]);
  });
});

describe('onnx.checker and onnx.reference, of all losses', needsReference, () => {
  it('agree', async () => {
    const path = hostPath('sigmoid');
    const feeds = seededFeeds(await inputsOf(path), { N: 3 }, 5);
    const folder = temporaryFolder();
    const models = await Promise.all(
      LOSSES.map(async (loss) => {
        const { bytes } = await augmentFile(path, { loss, grad: ['logits', 'parameters'] } as AugmentOptions);
        const file = join(folder, `${String(loss)}.onnx`);
        writeFileSync(file, bytes);
        const outputs = await runBytes(bytes, { ...feeds, labels: hot(3, 4) });
        return {
          file,
          outputs: Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, toNumbers(tensor)])),
        };
      }),
    );
    const plain = Object.entries({ ...feeds, labels: hot(3, 4) }).map(([name, tensor]) => [
      name,
      tensor.dims,
      toNumbers(tensor),
    ]);
    const worst = JSON.parse(python('../models/reference.py', JSON.stringify({ models, feeds: plain }))) as number[];
    expect(worst).toHaveLength(LOSSES.length);
    expect(Math.max(...worst)).toBeLessThan(1e-5);
  });
});
