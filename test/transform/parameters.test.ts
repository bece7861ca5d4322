import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { augment, inspect, type Model, open, type StepReport, trainGraph } from '../../src/index.ts';
import { foundIn, truthOf } from '../support/parameters.ts';
import { mlp, trainHost } from '../support/trainHosts.ts';

const FOLDER = resolve(import.meta.dirname, '../../fixtures/parameters');
const truth = truthOf(FOLDER);
/** What the dynamo exporter has computed from parameters is trained as it stands in the file. */
const DERIVED: Readonly<Record<string, readonly string[]>> = { dynamo: ['permute'] };

async function using<T>(exporter: string, use: (model: Model) => Promise<T>): Promise<T> {
  const model = await open(join(FOLDER, `${exporter}.onnx`));
  try {
    return await use(model);
  } finally {
    model.close();
  }
}

const trained = (exporter: string, trainable: string): Promise<StepReport> =>
  using(exporter, async (model) => (await trainGraph(model, { loss: 'ce', trainable })).report);

describe('what is a parameter', () => {
  test.each(Object.keys(truth))('PyTorch’s and no other, in the file of %s', async (exporter) => {
    const { parameters } = await foundIn(join(FOLDER, `${exporter}.onnx`));
    expect(parameters).toEqual([...(truth[exporter]?.parameters ?? []), ...(DERIVED[exporter] ?? [])].sort());
  });

  test('buffers, literals, tables of positions and single numbers are told with the reason', async () => {
    expect((await foundIn(join(FOLDER, 'torchscript.onnx'))).leftOut).toEqual({
      mean: 'rescales an input',
      deviation: 'rescales an input',
      'attention.coordinates': 'a table that a weight multiplies',
      'onnx::Cos_155': 'a table of angles',
      '/norm/Constant_1_output_0': 'a literal in a Constant node',
      '/norm/Constant_2_output_0': 'a literal in a Constant node',
    });
    expect((await foundIn(join(FOLDER, 'dynamo.onnx'))).leftOut).toEqual({
      mean: 'the exporter calls it a buffer',
      deviation: 'the exporter calls it a buffer',
      val_9: 'computed from numbers of a formula',
      val_12: 'computed from numbers of a formula',
      cos: 'a table of sines',
      sin: 'a table of sines',
      val_100: 'computed from numbers of a formula',
    });
  });

  test('a training graph of all leaves them out and says so; by name they are trained', async () => {
    const all = await trained('dynamo', 'all');
    expect(all.trainable).not.toContain('val_100');
    expect(all.leftOut).toContainEqual({ name: 'val_100', why: 'computed from numbers of a formula' });
    expect(all.notes.join('\n')).toMatch(
      /^7 float32 tensors .* are not parameters: "mean" \(the exporter calls it a buffer\), /m,
    );
    const named = await trained('dynamo', 'all, val_100');
    expect([...named.trainable].sort()).toEqual([...all.trainable, 'val_100'].sort());
    expect(named.leftOut.map(({ name }) => name)).not.toContain('val_100');
    expect((await trained('dynamo', 'cos,head.*')).trainable).toEqual(['cos', 'head.weight', 'head.bias']);
  });

  test('a pattern or the head names parameters alone, and tells of nothing left out', async () => {
    const { trainable, leftOut } = await trained('torchscript', 'head,attention.*');
    expect(trainable).not.toContain('attention.coordinates');
    expect(trainable).toContain('head.weight');
    expect(leftOut).toEqual([]);
  });

  test('inspect counts parameters and lists what it leaves out; gradients of parameters are of the same', async () => {
    const { trainable } = await using('dynamo', (model) => inspect(model));
    expect(trainable.tensors).toBe((truth.dynamo?.parameters.length ?? 0) + 1);
    expect(trainable.leftOut.map(({ name }) => name)).toContain('val_100');
    const { outputs, notes } = await using(
      'dynamo',
      async (model) => (await augment(model, { loss: 'ce', grad: ['parameters'] })).report,
    );
    expect(outputs).toContain('mix.alpha.grad');
    expect(outputs).not.toContain('val_100.grad');
    expect(notes.join('\n')).toMatch(/^7 float32 tensors that operators read are not parameters/m);
  });

  test('a learned number of rank 0 is a parameter where its name says so; a formula’s is none', async () => {
    const lines = [
      ['Mul(h, mix.alpha) -> m1'],
      ['Mul(m1, val_3) -> m2'],
      ['Add(m2, onnx::Add_7) -> m3'],
      ['Div(m3, scale) -> m4'],
    ];
    const weights = { 'mix.alpha': [], val_3: [], 'onnx::Add_7': [], scale: [] };
    const model = await trainHost(
      mlp(
        lines.map(([line = '']) => [line] as const),
        { weights },
      ),
    );
    const step = await trainGraph(model, { loss: 'ce', trainable: 'all' });
    expect(step.report.trainable).toEqual(['w1', 'w2', 'mix.alpha']);
    expect(step.report.leftOut).toEqual([{ name: 'scale', why: 'one number of a formula' }]);
    expect(step.initialState().get('mix.alpha.momentum')?.dims).toEqual([]);
    const named = await trainGraph(model, { loss: 'ce', trainable: 'scale' });
    expect(named.report.trainable).toEqual(['scale']);
  });
});
