import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { inspect, open, openData, train, trainGraph } from '../../src/index.ts';
import { type Model, modelFile, opened } from '../../src/model.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { widened } from '../../src/transform/widen.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { arraysOf } from '../support/networks.ts';
import { WHOLE_BATCH } from '../support/trainedFile.ts';

/** See fixtures/qdq/generate.py and byHand.py. */
const path = (name: string): string => join(ROOT, 'fixtures/qdq', `${name}.onnx`);

describe('integer operators as the float ones that they round', () => {
  it.each([
    ['operators', 0.01],
    ['operators-channel', 0.01],
    ['dynamic', 1e-4],
    ['forms', 0.01],
    ['forms-dynamic', 1e-4],
    ['fused', 1e-3],
    ['blocks', 1e-3],
    ['nbits', 1e-3],
    ['embedding', 1e-4],
    ['torch-qat', 0.01],
    ['torch-converted', 0.01],
    ['brevitas', 0.01],
    ['brevitas-4', 0.01],
  ])('%s: the scores are the runtime’s own, within a step of %d', async (name, step) => {
    const model = opened(await open(path(name)));
    const twin = widened(model);
    expect(twin).not.toBe(model);
    const [own, theirs] = [await scores(twin), await scores(model)];
    expect(own).toHaveLength(160);
    for (const [i, score] of theirs.entries())
      expect(Math.abs((own[i] ?? Number.NaN) - score)).toBeLessThanOrEqual(step);
  });

  it.each([
    ['nbits', 'before', /384 weights in uint8 stay as they are/],
    ['eight', 'before', /384 weights in float8e4m3fn stay as they are/],
  ])('%s: gradients pass the weights that stay, and a note counts them', async (name, earlier, said) => {
    const { report } = await trainGraph(await open(path(name)), { loss: 'ib', trainable: 'all' });
    expect(report.trainable).toEqual([earlier, 'weight', 'bias']);
    expect(report.notes.join()).toMatch(said);
    const { trainable } = await inspect(await open(path(name)));
    expect(trainable.staying.map(({ dtype, elements }) => `${elements} weights in ${dtype}`)).toEqual([
      said.source.replace(' stay as they are', ''),
    ]);
  });

  it('an operator that is not known is named, and what comes after it is trained', async () => {
    const model = await open(path('unknown'));
    await expect(trainGraph(model, { loss: 'ce', trainable: 'all' })).rejects.toThrow(
      /"QLinearGlobalAveragePool_p" \(com.microsoft::QLinearGlobalAveragePool\).* has none/,
    );
    const { report } = await trainGraph(model, { loss: 'ib', trainable: 'head' });
    expect(report.trainable).toEqual(['head', 'bias']);
    expect((await inspect(model)).missingGradientRules).toEqual(['com.microsoft::QLinearGlobalAveragePool']);
  });

  it.each(['tensor', 'operators', 'dynamic', 'blocks'])(
    '%s: no mixed precision beside the file’s own',
    async (name) => {
      const model = await open(path(name));
      await expect(trainGraph(model, { loss: 'ce', trainable: 'all', precision: 'mixed' })).rejects.toMatchObject({
        code: 'mixed-precision',
        message: expect.stringMatching(/expected a model that is not quantised, found node .*QuantizeLinear\)/),
      });
    },
  );

  it('the head of a model of 4 bits is found', async () => {
    const { report } = await trainGraph(await open(path('blocks')), { loss: 'ib', trainable: 'head' });
    expect(report.trainable).toEqual(['bias', 'w2']);
  });

  it('an older opset has its scales for each channel in ONNX Runtime’s own domain', async () => {
    const { report } = await trainGraph(await open(path('old')), { loss: 'ib', trainable: 'all' });
    expect(report.trainable).toEqual(['head', 'head_bias', 'w', 'b']);
  });
});

it.each([
  ['zero-scale', /expected scales above 0, found a scale of 0\./],
  ['nan-scale', /expected scales above 0, found a scale of NaN\./],
  ['zero-point-type', /a zero point of the type of its numbers, int8, found one of uint8\./],
  ['axis', /an axis from -2 to 1, as the weight is \[64, 4\], found axis 2\./],
  ['scale-count', /scales \[4\], one for each channel of axis 1, found \[3\]\./],
])('damaged: %s', async (name, message) => {
  const model = await open(path(`bad-${name}`));
  const data = await openData(join(ROOT, 'fixtures/qdq/data.npz'));
  const folder = join(temporaryFolder(), 'run');
  const refused = { code: 'bad-quantisation', message: expect.stringMatching(message) };
  await expect(inspect(model)).rejects.toMatchObject(refused);
  await expect(trainGraph(model, { loss: 'ce', trainable: 'all' })).rejects.toMatchObject(refused);
  await expect(train(model, { ...WHOLE_BATCH, data, validation: data, folder })).rejects.toMatchObject(refused);
  expect(existsSync(folder)).toBe(false);
});

async function scores(model: Model): Promise<readonly number[]> {
  const { file, session: options } = modelFile(model);
  const session = await openSession(file, options);
  const { logits } = await session.run({ x: await rowsFor(session.inputs[0]?.dtype) });
  await session.close();
  return logits ? toNumbers(logits) : [];
}

async function rowsFor(dtype: string | undefined): Promise<Tensor> {
  if (dtype !== 'int64') return (await arraysOf(join(ROOT, 'fixtures/qdq/data.npz'))).x as Tensor;
  return { dtype, dims: [40, 5], data: BigInt64Array.from({ length: 200 }, (_, i) => BigInt((i * 7) % 20)) };
}
