import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inspect, LossgraftError, open, trainGraph } from '../../src/index.ts';
import { ROOT } from '../support/cli.ts';
import { expectGraft } from '../support/expectGraft.ts';
import { augmentFile, graftAndRun, inputsOf, seededFeeds } from '../support/grafted.ts';
import { refusalOf } from './hosts.ts';

/** See fixtures/heads/generate.py. */
const path = (name: string): string => join(ROOT, 'fixtures/heads', `${name}.onnx`);

async function inspected(name: string, options = {}) {
  const model = await open(path(name));
  try {
    return await inspect(model, options);
  } finally {
    model.close();
  }
}

describe('a head is recognised, and refused for what it is', () => {
  it.each([
    ['coral', 'ordinal', 'ordinal-head', /adds a threshold per class .*"\/head\/Add" \(Add\)\): an ordinal head/],
    ['coral_sigmoid', 'ordinal', 'ordinal-head', /an ordinal head/],
    ['cumulative', 'ordinal', 'ordinal-head', /"\/head\/Sub" \(Sub\)\): an ordinal head/],
    ['cumulative_steps', 'ordinal', 'ordinal-head', /an ordinal head/],
    ['token', 'token', 'token-head', /\[N, 6, 5\]: a row for each token or position/],
    ['token_softmax', 'token', 'token-head', /a row for each token or position/],
    ['segmentation', 'segmentation', 'segmentation-head', /a value for each pixel/],
    ['segmentation_binary', 'segmentation', 'segmentation-head', /a value for each pixel/],
    ['segmentation_index', 'segmentation', 'segmentation-head', /holds int64 \[.*\]: a class for each pixel/],
    ['yolo5', 'detector', 'detector', /joins boxes and scores/],
    ['yolo8', 'detector', 'detector', /joins boxes and scores/],
    ['detr', 'detector', 'detector', /output "boxes" .* holds boxes/],
    ['nms', 'detector', 'detector', /NonMaxSuppression/],
    ['embedding', 'embedding', 'embedding', /is divided by its length/],
  ])('%s: %s', async (name, kind, code, message) => {
    const found = await refusalOf(path(name), { loss: 'ce' });
    expect(found.message).toMatch(message);
    expect(found.message).not.toMatch(/before the softmax|argmax/);
    expect(found.code).toBe(code);
    const { head, trainable } = await inspected(name);
    expect(head?.kind).toBe(kind);
    expect(trainable.problem).toBe('it has no logits');
  });

  it.each([
    ['softmax', true],
    ['class_index', true],
    ['bare', false],
    ['dense', false],
  ])('%s: exclusive classes, stated by the file: %s', async (name, isStated) => {
    expect((await inspected(name)).head).toMatchObject({ kind: 'softmax', isStated });
    expect((await augmentFile(path(name), { loss: 'ib' })).report.head).toEqual({ kind: 'softmax', isStated });
  });
});

describe('one logit per sample is a softmax over (0, z)', () => {
  const BINARY = [
    ['binary_n1', true, /a binary head, \[N, 1\]/],
    ['binary_n', true, /a binary head, \[N\]/],
    ['binary_n_before', true, /a binary head, \[N\]/],
    ['binary_n111', true, /a binary head, \[(N|\?), 1, 1, 1\]/],
    ['binary_view', true, /a binary head, \[(N|\?), 1, 1, 1\]/],
    ['binary_n_logit', false, /one score per sample \(\[N\]\): a binary head, a regression/],
    ['binary_n1_logit', false, /one score per sample \(\[N, 1\]\)/],
  ] as const;

  it.each(BINARY)('%s: stated by the file: %s', async (name, isStated, why) => {
    const { head, classes, trainable, missingGradientRules } = await inspected(name);
    expect(head).toMatchObject({ kind: 'sigmoid-binary', isStated, why: expect.stringMatching(why) });
    expect(classes).toBe(2);
    expect(trainable.problem).toBeNull();
    expect(missingGradientRules).toEqual([]);
  });

  it.each(BINARY)(
    '%s: outputs stay as they are, losses and factors are those of two classes',
    async (name, isStated) => {
      for (const loss of ['ce', 'focal', 'ib', 'ib-focal'] as const) {
        const feeds = seededFeeds(await inputsOf(path(name)), { N: 3 }, 5);
        const graft = await graftAndRun(path(name), { loss, classCounts: [90, 10] }, { feeds, labels: [1, 0, 1] });
        expectGraft(graft);
        expect(graft.report).toMatchObject({ classes: 2, head: { kind: 'sigmoid-binary', isStated } });
        const notes = isStated
          ? []
          : [expect.stringMatching(/assumes that it is the logit of the second of two classes/)];
        expect(graft.report.notes).toEqual(notes);
      }
    },
  );
});

describe('the way out that a refusal names leads out', () => {
  it.each(['coral', 'coral_sigmoid', 'embedding'])('%s', async (name) => {
    const { message } = await refusalOf(path(name), { loss: 'ce' });
    const logits = /add `logits: "([^"]+)"`/.exec(message)?.[1] ?? '';
    const { report } = await augmentFile(path(name), { loss: 'ce', logits });
    expect(report.notes).toEqual([expect.stringMatching(/treats its classes as exclusive \(softmax\)$/)]);
  });

  it('probabilities that are named for logits: their softmax has an input', async () => {
    const { code, message } = await refusalOf(path('softmax'), { loss: 'ce', logits: 'y' });
    expect(code).toBe('not-logits');
    const logits = /`logits: "([^"]+)"`/.exec(message)?.[1] ?? '';
    expect((await augmentFile(path('softmax'), { loss: 'ce', logits })).report.notes).toEqual([]);
  });
});

describe('weights that are not float32', () => {
  const FLOAT = /Train the float model from which it was quantised/;

  it('four_bits: nothing can be trained, and every command says the same', async () => {
    for (const trainable of ['head', 'all', '*weight*']) {
      const { message } = await untrained('four_bits', trainable);
      expect(message).toMatch(/MatMulNBits/);
      expect(message).toMatch(FLOAT);
      expect(message).not.toMatch(/`trainable|inspect/);
    }
    const { trainable, missingGradientRules } = await inspected('four_bits');
    expect(trainable).toMatchObject({ tensors: 0, elements: 0, problem: expect.stringMatching(FLOAT) });
    expect(missingGradientRules).toEqual([]);
  });

  it.each([
    ['qoperator', 6],
    ['qoperator_dense', 4],
    ['dynamic', 4],
    ['dynamic_conv', 6],
  ])('%s: its integer operators are trained as the float ones that they round', async (name, tensors) => {
    const { trainable, missingGradientRules, features } = await inspected(name);
    expect(trainable).toMatchObject({ tensors, problem: null });
    expect(missingGradientRules).toEqual([]);
    expect(features).toMatchObject({ name: expect.stringMatching(/_dequantized$/) });
    const model = await open(path(name));
    const { report } = await trainGraph(model, { loss: 'ib', trainable: 'all' });
    model.close();
    expect(report.trainable).toHaveLength(tensors);
  });

  it('a body that is quantised and a head that is not: both are trained', async () => {
    const model = await open(path('qdq_body'));
    const { report } = await trainGraph(model, { loss: 'ce', trainable: 'all' });
    model.close();
    expect(report.trainable).toEqual(expect.arrayContaining(['head.weight', 'head.bias']));
    expect(report.trainable).toHaveLength(6);
    expect(report.notes.join('\n')).toMatch(/weights are quantised \(int8\)/);
  });
});

async function untrained(name: string, trainable: string): Promise<LossgraftError> {
  const model = await open(path(name));
  try {
    await trainGraph(model, { loss: 'ce', trainable });
  } catch (error) {
    if (error instanceof LossgraftError) return error;
    throw error;
  } finally {
    model.close();
  }
  throw new Error('it was trained');
}
