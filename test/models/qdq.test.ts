import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluate, inspect, open, openData, train, trainGraph } from '../../src/index.ts';
import { opened } from '../../src/model.ts';
import { toNumbers } from '../../src/numbers.ts';
import { quantise } from '../../src/quantisation.ts';
import { writeTuned } from '../../src/tuned/writeBack.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { arraysOf } from '../support/networks.ts';
import { WHOLE_BATCH, weightsIn } from '../support/trainedFile.ts';

/** See fixtures/qdq/generate.py, and exports.py. */
const EXPORTS = ['torch-qat', 'torch-converted', 'brevitas', 'brevitas-4'] as const;
const FOLDER = join(ROOT, 'fixtures/qdq');
const path = (name: string): string => join(FOLDER, name);

async function trained(
  name: string,
): Promise<{ tuned: string; losses: readonly number[]; logLoss: number | null; notes: string }> {
  const model = await open(path(`${name}.onnx`));
  const data = await openData(path('data.npz'));
  const folder = temporaryFolder();
  const result = await train(model, { ...WHOLE_BATCH, data, validation: data, folder: join(folder, 'run') });
  const tuned = join(folder, 'tuned.onnx');
  await result.write(tuned, { anyway: true });
  const losses = result.history.slice(1).map(({ trainLoss }) => trainLoss ?? Number.NaN);
  return { tuned, losses, logLoss: result.arms[0]?.judged?.logLoss ?? null, notes: result.notes.join() };
}

describe('training through the file’s own rounding', () => {
  it.each(['tensor', 'channel', 'qat', 'operators', 'operators-channel', 'dynamic', 'blocks', ...EXPORTS])(
    '%s: PyTorch’s losses and integers',
    async (name) => {
      const { tuned, losses } = await trained(name);
      const { losses: theirs, ...weights } = await arraysOf(path(`trained-${name}.npz`));
      // An activation in the middle of two steps may be rounded to either.
      for (const [i, loss] of toNumbers(theirs as never).entries()) expect(losses[i]).toBeCloseTo(loss, 3);
      const found = weightsIn(await open(tuned));
      let [equal, all] = [0, 0];
      for (const [key, tensor] of Object.entries(weights)) {
        // A name in a zip does not begin with a slash.
        const own = found.get(key) ?? found.get(`/${key}`) ?? [];
        const isInteger = tensor.dtype === 'int32' && !key.includes('bias');
        for (const [i, value] of toNumbers(tensor).entries()) {
          const difference = Math.abs((own[i] ?? Number.NaN) - value);
          const allowed = isInteger ? 1 : Math.max(0.02, 0.02 * Math.abs(value));
          expect(difference, `${key}[${i}]`).toBeLessThanOrEqual(allowed);
          equal += !isInteger || difference === 0 ? 1 : 0;
          all++;
        }
      }
      expect(equal / all).toBeGreaterThan(0.98);
    },
  );

  it.each([
    ['tensor', /\(int8\)/],
    ['channel', /\(int8\)/],
    ['operators', /\(int8\).*QLinearConv, QGemm in floats/],
    ['operators-channel', /\(int8\)/],
    ['dynamic', /\(uint8\).*ConvInteger, MatMulInteger in floats/],
    ['forms', /QLinearLeakyRelu, QLinearSigmoid/],
    ['forms-dynamic', /MatMulInteger/],
    ['blocks', /\(int4 and uint4\)/],
    ['wide', /\(int16\)/],
    ['brevitas', /\(int8\)/],
    ['brevitas-4', /\(int8\)/],
  ])('%s: the integer model is what was judged, and only its weights are changed', async (name, said) => {
    const { tuned, logLoss, notes } = await trained(name);
    expect(notes).toMatch(/weights are quantised \((.*)\): .* go back as \1/);
    expect(notes).toMatch(said);
    expect(notes).not.toMatch(/stay as they are/);
    const model = await open(path(`${name}.onnx`));
    const { metrics } = await evaluate(await open(tuned), await openData(path('data.npz')));
    expect(metrics.logLoss).toBeCloseTo(logLoss ?? Number.NaN, 2);
    const [before, after] = [readFileSync(path(`${name}.onnx`)), readFileSync(tuned)];
    expect(after).toHaveLength(before.length);
    const { report } = await trainGraph(model, { loss: 'ce', trainable: 'all' });
    const allowed = new Uint8Array(before.length);
    for (const { payload, name: weight } of opened(model).proto.graph.initializers)
      if (payload.kind === 'raw' && report.trainable.includes(weight))
        allowed.fill(1, payload.offset, payload.offset + payload.length);
    expect([...before.keys()].filter((i) => before[i] !== after[i] && allowed[i] === 0)).toEqual([]);
    expect(Buffer.compare(before, after)).not.toBe(0);
  });

  it.each([
    ['channel', 6],
    ['operators-channel', 6],
    ['dynamic', 6],
    ['forms', 7],
    ['fused', 5],
    ['blocks', 3],
    ['embedding', 3],
    ['old', 4],
    ...EXPORTS.map((name): [string, number] => [name, 6]),
  ])('%s: a state that was not trained writes the same file', async (name, tensors) => {
    const model = await open(path(`${name}.onnx`));
    const graph = await trainGraph(model, { loss: 'ib', trainable: 'all' });
    const state = new Map([...graph.initialState()].filter(([name]) => graph.report.trainable.includes(name)));
    expect(state.size).toBe(tensors);
    const same = join(temporaryFolder(), 'same.onnx');
    writeTuned(model, state, same);
    expect(Buffer.compare(readFileSync(same), readFileSync(path(`${name}.onnx`)))).toBe(0);
  });

  it('inspect counts the weights', async () => {
    const { trainable, missingGradientRules, features } = await inspect(await open(path('tensor.onnx')));
    expect(trainable).toMatchObject({ tensors: 6, elements: 1276, storedAs: 'int8', problem: null });
    expect((await inspect(await open(path('blocks.onnx')))).trainable.storedAs).toBe('int4 and uint4');
    expect(missingGradientRules).toEqual([]);
    expect(features).toMatchObject({ shape: ['N', 12] });
  });
});

it('numbers are rounded as QuantizeLinear rounds them: ties to even, cut to the range', () => {
  const how = {
    scale: { dtype: 'float32', dims: [], data: Float32Array.of(0.5) },
    zeroPoint: undefined,
    axis: 1,
    block: 0,
  } as const;
  const data = Float32Array.of(0.25, 0.75, 1.25, -0.25, -0.75, 100, -100, 0.3);
  expect(quantise({ dtype: 'float32', dims: [8], data }, 'int8', how)).toMatchObject({
    data: Int8Array.of(0, 2, 2, 0, -2, 127, -128, 1),
  });
  // A file that cuts integers to 4 bits by a Clip.
  const narrow = quantise({ dtype: 'float32', dims: [8], data }, 'int8', { ...how, range: [-7, 7] });
  expect(narrow).toMatchObject({ data: Int8Array.of(0, 2, 2, 0, -2, 7, -7, 1) });
});
