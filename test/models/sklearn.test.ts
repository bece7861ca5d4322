import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inspect, open, trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT } from '../support/cli.ts';
import { augmentFile, runBytes } from '../support/grafted.ts';
import { arraysOf } from '../support/networks.ts';
import { refusalOf } from './hosts.ts';

/** See fixtures/sklearn/generate.py. */
const FOLDER = join(ROOT, 'fixtures/sklearn');
const path = join(FOLDER, 'zipmap.onnx');

it('a pipeline that scales, with its scores in dictionaries: loss and training are those of its network', async () => {
  const model = await open(path);
  const { classes, logits, features, missingGradientRules } = await inspect(model);
  expect(classes).toBe(3);
  expect(logits).toMatchObject({ how: 'input of the final Softmax + ZipMap' });
  expect(features).toMatchObject({ shape: [null, 6] });
  expect(missingGradientRules).toEqual([]);
  const { X, labels, probabilities } = (await arraysOf(join(FOLDER, 'data.npz'))) as Record<string, Tensor>;
  if (!X || !labels || !probabilities) throw new Error('no data');
  const graph = await trainGraph(model, { loss: 'ce', trainable: 'all' });
  expect(graph.report.trainable).toHaveLength(4);
  const rate: Tensor = { dtype: 'float32', dims: [], data: Float32Array.of(0.01) };
  const feeds = { X, labels, learning_rate: rate, ...Object.fromEntries(graph.initialState()) };
  const { loss } = await runBytes(graph.bytes().get('step.onnx') ?? '', feeds);
  model.close();
  const p = toNumbers(probabilities);
  const each = toNumbers(labels).map((label, n) => -Math.log(p[n * 3 + label] ?? 0));
  const expected = each.reduce((sum, value) => sum + value, 0) / each.length;
  expect(toNumbers(loss as Tensor)[0]).toBeCloseTo(expected, 5);
  expect((await augmentFile(path, { loss: 'ib' })).report.outputs).toContain('output_probability');
});

it('a linear model is refused: its scores are probabilities', async () => {
  const { code, message } = await refusalOf(join(FOLDER, 'linear.onnx'), { loss: 'ce' });
  expect(code).toBe('no-logits');
  expect(message).toMatch(/a classical model's operator .*A linear model, tree/);
});

it('a binary network is one of two classes', async () => {
  const { report } = await augmentFile(join(FOLDER, 'binary.onnx'), { loss: 'ib' });
  expect(report).toMatchObject({ classes: 2, head: { kind: 'sigmoid-binary', isStated: true } });
});
