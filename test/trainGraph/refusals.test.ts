import { describe, expect, it } from 'vitest';
import {
  inspect,
  LossgraftError,
  type Model,
  type Problem,
  type TrainGraphOptions,
  trainGraph,
} from '../../src/index.ts';
import { infoOf, mlp, nodeOf, trainHost } from '../support/trainHosts.ts';

async function refusal(model: Model, options: Partial<TrainGraphOptions> = {}): Promise<Problem> {
  try {
    await trainGraph(model, { loss: 'ce', trainable: 'all', ...options });
  } catch (error) {
    if (error instanceof LossgraftError) return error.problem;
    throw error;
  }
  throw new Error('it was not refused');
}

function train(model: Model, options: Partial<TrainGraphOptions> = {}) {
  return trainGraph(model, { loss: 'ce', trainable: 'all', ...options });
}

describe('an operator without a gradient rule', () => {
  const det = mlp([['Reshape(h, square) -> s'], ['Det(s) -> d'], ['Unsqueeze(d, one) -> u'], ['Mul(u, h) -> m']], {
    integers: { square: [-1, 2, 2], one: [1] },
  });

  it('is named, with its node, and what to freeze', async () => {
    const problem = await refusal(await trainHost(det));
    expect(problem).toMatchObject({ code: 'no-gradient-rule', found: 'Det, which has none' });
    expect(problem.where).toContain('d_node');
    expect(problem.hint).toContain('`trainable: "head"`');
  });

  it('does not stand in the way of what lies behind it', async () => {
    const model = await trainHost(det);
    expect((await train(model, { trainable: 'head' })).report.trainable).toEqual(['w2']);
    expect((await train(model, { trainable: 'w2' })).report.trainable).toEqual(['w2']);
  });
});

const AXIS_1 = { name: 'axis', type: 2, i: 1 } as const;

describe('a gradient that would be lost on the way', () => {
  it('through a sequence, of which no element type is known, is a refusal', async () => {
    const lines = [
      ['SequenceConstruct(h) -> one'],
      ['SequenceInsert(one, h) -> s'],
      ['ConcatFromSequence(s) -> c', AXIS_1],
      ['Reshape(c, wide) -> r'],
    ] as const;
    const model = await trainHost(mlp([...lines], { weights: { w2: [8, 3] }, integers: { wide: [-1, 8] } }));
    const problem = await refusal(model);
    expect(problem).toMatchObject({ code: 'no-gradient-rule', found: 'ConcatFromSequence, which has none' });
    expect((await train(model, { trainable: 'w2' })).report.trainable).toEqual(['w2']);
  });

  it('is none through a sequence that only joins tensors', async () => {
    const lines = [
      ['SequenceConstruct(h, h) -> s'],
      ['ConcatFromSequence(s) -> c', AXIS_1],
      ['Reshape(c, wide) -> r'],
    ] as const;
    const model = await trainHost(mlp([...lines], { weights: { w2: [8, 3] }, integers: { wide: [-1, 8] } }));
    expect((await train(model)).report.trainable).toEqual(['w1', 'w2']);
  });

  it('is none of a weight that the body of a Loop reads, as EmbeddingBag is exported', async () => {
    const body = {
      name: 'body',
      node: [nodeOf(['Identity(go) -> on']), nodeOf(['Identity(inner) -> each'])],
      input: [
        { name: 'i', type: { tensorType: { elemType: 7, shape: { dim: [] } } } },
        { name: 'go', type: { tensorType: { elemType: 9, shape: { dim: [] } } } },
      ],
      output: [{ name: 'on', type: { tensorType: { elemType: 9, shape: { dim: [] } } } }, infoOf('each', [4])],
    };
    const lines = [
      ['Loop(one, ) -> l', { name: 'body', type: 5, g: body }],
      ['Reshape(l, row) -> k'],
      ['Mul(h, k) -> m'],
    ] as const;
    const model = await trainHost(mlp([...lines], { weights: { inner: [4] }, integers: { one: [1], row: [1, 4] } }));
    expect((await train(model)).report.trainable).toEqual(['w1', 'w2', 'inner']);
    expect((await inspect(model)).missingGradientRules).toEqual([]);
    expect((await train(model, { trainable: 'w*' })).report.trainable).toEqual(['w1', 'w2']);
  });
});

describe('what is trainable', () => {
  it('head is both heads where their scores are averaged, as in distilled transformers', async () => {
    const lines = [
      ...mlp().lines.slice(0, 2),
      ['MatMul(h, w2) -> one'],
      ['Gemm(h, w3, b3) -> other'],
      ['Add(one, other) -> sum'],
      ['Mul(sum, half) -> logits'],
    ] as const;
    const model = await trainHost(mlp([], { lines, weights: { w3: [4, 3], b3: [3], half: [1] } }));
    expect((await train(model, { trainable: 'head' })).report.trainable).toEqual(['w2', 'w3', 'b3']);
  });

  const branch = mlp([], {
    lines: [...mlp().lines, ['MatMul(h, side.weight) -> side']],
    weights: { 'side.weight': [4, 3] },
    outputs: ['side'],
  });

  it('is said where the loss does not depend on it', async () => {
    const { report } = await train(await trainHost(branch), { logits: 'logits' });
    expect(report.trainable).toEqual(['w1', 'w2']);
    expect(report.unreached).toEqual(['side.weight']);
  });

  it('may not be only that', async () => {
    const problem = await refusal(await trainHost(branch), { logits: 'logits', trainable: 'side.*' });
    expect(problem.code).toBe('no-parameters');
    expect(problem.found).toContain('side.weight');
  });

  it.each([
    ['all', ['w1', 'w2']],
    ['head', ['w2']],
    ['w*', ['w1', 'w2']],
    ['w2, w1', ['w2', 'w1']],
    ['*1', ['w1']],
  ])('%s', async (trainable, expected) => {
    expect((await train(await trainHost(mlp()), { trainable })).report.trainable).toEqual(expected);
  });

  it.each(['w', 'W1', 'layer*', 'w1,bias', ''])('is refused as "%s", which matches nothing', async (trainable) => {
    const problem = await refusal(await trainHost(mlp()), { trainable });
    expect(problem).toMatchObject({ code: 'no-parameters', where: 'option trainable' });
    expect(problem.hint).toMatch(/"w1"|"w2"/);
  });
});

describe('options out of range', () => {
  const wrong: readonly (readonly [string, Partial<TrainGraphOptions>])[] = [
    ['option-range', { accumulate: 0 }],
    ['option-range', { accumulate: 1.5 }],
    ['option-range', { accumulate: Number.NaN }],
    ['option-range', { clipNorm: 0 }],
    ['option-range', { clipNorm: Number.NaN }],
    ['option-range', { rateFactors: [{ pattern: 'w1', factor: -1 }] }],
    ['option-range', { rateFactors: [{ pattern: 'layer*', factor: 0.1 }] }],
    ['option-range', { seed: 3 }],
    ['option-range', { seed: 3, dropout: 'off' }],
  ];
  it.each(wrong)('%s: %j', async (code, options) => {
    const problem = await refusal(await trainHost(mlp()), options);
    expect(problem.code).toBe(code);
    expect(problem.where).toMatch(/^option /);
  });

  it('names options that the optimizer does not have, and values that it refuses', async () => {
    const model = await trainHost(mlp());
    const momentum = { optimizer: 'adam', momentum: 0.9 } as const;
    expect(JSON.stringify(await refusal(model, momentum))).toContain('momentum');
    const tooLarge = { momentum: 1 };
    expect(JSON.stringify(await refusal(model, tooLarge))).toContain('momentum');
    // @ts-expect-error the name of an optimizer
    expect(JSON.stringify(await refusal(model, { optimizer: 'sdg' }))).toContain('sgd');
  });

  it('refuses a loss that is not one number', async () => {
    expect((await refusal(await trainHost(mlp()), { reduction: 'none' })).where).toBe('option reduction');
  });
});

describe('names that the model has taken', () => {
  const named = (name: string) => mlp([[`Identity(h) -> ${name}`]]);

  it.each(['labels', 'learning_rate'])('%s may be renamed', async (name) => {
    const model = await trainHost(named(name));
    expect((await refusal(model)).code).toBe('name-collision');
    const { report } = await train(model, { rename: { [name]: 'mine' } });
    expect(report.trainable).toEqual(['w1', 'w2']);
  });

  it.each(['w1.momentum', 'w1.next', 'w1.momentum.next'])('%s is refused', async (name) => {
    const escaped = mlp([[`Identity(h) -> q`]]);
    const lines = escaped.lines.map(([call]) => [call.replaceAll('q', name)] as const);
    const problem = await refusal(await trainHost({ ...escaped, lines }));
    expect(problem).toMatchObject({ code: 'name-collision', where: `tensor "${name}"` });
    expect(problem.hint).toMatch(/^Rename that tensor in the model/);
  });
});

describe('the opset', () => {
  it('below 7 is refused', async () => {
    expect(await refusal(await trainHost({ ...mlp(), opset: 6 }))).toMatchObject({
      code: 'cannot-raise',
      found: 'opset 6',
    });
  });

  it('is raised to 17 with a note', async () => {
    const { report } = await train(await trainHost({ ...mlp(), opset: 11 }));
    expect(report.notes.join()).toContain('Raised the opset from 11 to 17');
  });

  it.each([17, 21])('%s is kept and nothing said', async (opset) => {
    expect((await train(await trainHost({ ...mlp(), opset }))).report.notes).toEqual([]);
  });

  it('above 21 is kept, and what CUDA will not take is named', async () => {
    const pooled = mlp(
      [
        ['Unsqueeze(h, one) -> u'],
        ['MaxPool(u) -> p', { name: 'kernel_shape', type: 7, ints: [1] }],
        ['Elu(p) -> e'],
        ['Squeeze(e, one) -> s'],
      ],
      { integers: { one: [1] }, opset: 22 },
    );
    const { report } = await train(await trainHost(pooled));
    expect(report.notes.join()).toMatch(/keeps its opset 22\..*here Elu, MaxPool/);
    const { report: plain } = await train(await trainHost({ ...mlp(), opset: 23 }));
    expect(plain.notes.join()).toMatch(/keeps its opset 23\..*none of them in this model/);
  });
});
