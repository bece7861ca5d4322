import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluate, inspect, open, openData, train, trainGraph } from '../../src/index.ts';
import { opened } from '../../src/model.ts';
import { readSafetensors } from '../../src/safetensors/read.ts';
import { writeTuned } from '../../src/tuned/writeBack.ts';
import { onnx } from '../onnx/models.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { arraysOf } from '../support/networks.ts';
import { WHOLE_BATCH, weightsIn } from '../support/trainedFile.ts';

/** See fixtures/half/generate.py. */
const FOLDER = join(ROOT, 'fixtures/half');
const path = (name: string): string => join(FOLDER, name);

const CASES = [
  ['float16', 'data-float16.npz', 'float16'],
  ['float16', 'data.npz', 'float16'],
  ['float16-io', 'data.npz', 'float16'],
  ['float16-io', 'data-float16.npz', 'float16'],
  ['constants', 'data-float16.npz', 'float16'],
  ['external', 'data.npz', 'float16'],
  ['typed', 'data.npz', 'float16'],
  ['typed-constants', 'data.npz', 'float16'],
  ['functions', 'data.npz', 'float16'],
  ['bodies', 'data-float16.npz', 'float16'],
  ['bfloat16', 'data.npz', 'bfloat16'],
  ['float64', 'data.npz', 'float64'],
] as const;

const TRAINING = { ...WHOLE_BATCH, lower: 'off' } as const;

/** The distance of neighbours, relative; of float64, what is trained is float32. */
const STEPS = { float16: 2 ** -10, bfloat16: 2 ** -7, float64: 2 ** -19 };

async function trained(
  name: string,
  data: string,
): Promise<{ readonly tuned: string; readonly losses: readonly number[] }> {
  const model = await open(path(`${name}.onnx`));
  const given = await openData(path(data));
  const folder = temporaryFolder();
  const result = await train(model, { ...TRAINING, data: given, validation: given, folder: join(folder, 'run') });
  const tuned = join(folder, 'tuned.onnx');
  await result.write(tuned, { anyway: true });
  model.close();
  return { tuned, losses: result.history.slice(1).map(({ trainLoss }) => trainLoss ?? Number.NaN) };
}

function bestsOf(folder: string): readonly { readonly file: string }[] {
  return JSON.parse(readFileSync(join(folder, 'checkpoint.json'), 'utf8')).bests;
}

describe('training through float32 masters', () => {
  it.each(CASES)('%s on %s: PyTorch’s weights, rounded to %s', async (name, data, dtype) => {
    const { tuned, losses } = await trained(name, data);
    const expected = await arraysOf(path(`trained-${dtype}.npz`));
    const { losses: theirs, ...weights } = expected;
    for (const [i, loss] of Array.from(theirs?.data ?? [], Number).entries()) expect(losses[i]).toBeCloseTo(loss, 5);
    const step = STEPS[dtype];
    const found = weightsIn(await open(tuned));
    let [equal, all] = [0, 0];
    for (const [key, tensor] of Object.entries(weights)) {
      const own = found.get(key) ?? [];
      expect(own).toHaveLength(tensor.data.length);
      for (const [i, value] of Array.from(tensor.data, Number).entries()) {
        const difference = Math.abs((own[i] ?? Number.NaN) - value);
        // A number between two of the type may be rounded to either.
        expect(difference, `${key}[${i}]`).toBeLessThanOrEqual(Math.abs(value) * step + 1e-6);
        equal += difference === 0 ? 1 : 0;
        all++;
      }
    }
    if (dtype !== 'float64') expect(equal / all).toBeGreaterThan(0.98);
  });

  it('changes the trained elements alone', async () => {
    const { tuned } = await trained('float16', 'data.npz');
    const [before, after] = [readFileSync(path('float16.onnx')), readFileSync(tuned)];
    expect(after).toHaveLength(before.length);
    const { proto } = opened(await open(path('float16.onnx')));
    const inside = new Uint8Array(before.length);
    for (const { payload } of proto.graph.initializers)
      if (payload.kind === 'raw') inside.fill(1, payload.offset, payload.offset + payload.length);
    const outside = [...before.keys()].filter((i) => before[i] !== after[i] && inside[i] === 0);
    expect(outside).toEqual([]);
    expect(Buffer.compare(before, after)).not.toBe(0);
  });

  it('judges the weights as the file holds them', async () => {
    const model = await open(path('float16-io.onnx'));
    const data = await openData(path('data.npz'));
    const folder = temporaryFolder();
    const result = await train(model, { ...TRAINING, data, validation: data, folder: join(folder, 'run') });
    const tuned = join(folder, 'tuned.onnx');
    await result.write(tuned, { anyway: true });
    const { file } = result.arms.length === 1 ? (bestsOf(result.folder)[0] ?? { file: '' }) : { file: '' };
    const state = readSafetensors(join(result.folder, file));
    for (const [name, values] of [...weightsIn(await open(tuned))].filter(([key]) => state.has(key)))
      expect(Array.from(state.get(name)?.data ?? [], Number), name).toEqual(values);
    const { metrics } = await evaluate(await open(tuned), data);
    expect(result.arms[0]?.judged?.logLoss).toBeCloseTo(metrics.logLoss ?? Number.NaN, 3);
    expect(result.notes.join()).toMatch(/The model is in float16: its weights train in float32/);
  });
});

describe('what half precision can and cannot do', () => {
  it.each(['float16', 'bfloat16', 'constants', 'functions', 'bodies'])(
    'inspect counts the weights of %s',
    async (name) => {
      const { trainable } = await inspect(await open(path(`${name}.onnx`)));
      expect(trainable).toMatchObject({
        tensors: 8,
        problem: null,
        storedAs: name === 'bfloat16' ? 'bfloat16' : 'float16',
      });
    },
  );

  it('a training graph has float32 states, which go back into the file', async () => {
    const model = await open(path('bfloat16.onnx'));
    const graph = await trainGraph(model, { loss: 'ib', trainable: 'head' });
    const state = new Map([...graph.initialState()].filter(([name]) => graph.report.trainable.includes(name)));
    expect([...state.values()].map(({ dtype }) => dtype)).toEqual(['float32', 'float32']);
    const same = join(temporaryFolder(), 'same.onnx');
    writeTuned(model, state, same);
    expect(Buffer.compare(readFileSync(same), readFileSync(path('bfloat16.onnx')))).toBe(0);
  });

  it('a number beyond float16 is not written', async () => {
    const model = await open(path('float16.onnx'));
    const bias = { dtype: 'float32', dims: [4], data: Float32Array.of(1, 7e4, 0, 0) } as const;
    const target = join(temporaryFolder(), 'never.onnx');
    expect(() => writeTuned(model, new Map([['7.bias', bias]]), target)).toThrow(/within the range of float16/);
  });
});

it('a file that ONNX Runtime refuses is not trained, although its copy in float32 would be', async () => {
  const proto = onnx.ModelProto.decode(readFileSync(path('float16.onnx')));
  const bias = proto.graph?.initializer?.find(({ name }) => name === '7.bias');
  if (!bias) throw new Error('no bias');
  Object.assign(bias, { dataType: 1, rawData: new Uint8Array(0), floatData: [0, 0, 0, 0] });
  const model = await open(onnx.ModelProto.encode(proto).finish());
  const data = await openData(path('data.npz'));
  const folder = join(temporaryFolder(), 'run');
  const refused = { code: 'model-not-loaded', message: expect.stringContaining('Type Error') };
  await expect(train(model, { ...TRAINING, data, validation: data, folder })).rejects.toMatchObject(refused);
  await expect(trainGraph(model, { loss: 'ce', trainable: 'head' })).rejects.toMatchObject(refused);
});

it('a Loop that hands on a sequence in half precision is refused before the work', async () => {
  const model = await open(path('sequences.onnx'));
  const data = await openData(path('data.npz'));
  const request = { data, validation: data, folder: join(temporaryFolder(), 'run') };
  await expect(train(model, request)).rejects.toThrow(
    /\(Loop\)\] expected bodies of tensors in a model that is not in float32, found a body with sequences/,
  );
});

it('--standardize is refused, since the scales go into a float32 file', async () => {
  const data = await openData(path('data.npz'));
  const model = await open(path('float16-io.onnx'));
  const request = { data, validation: data, folder: join(temporaryFolder(), 'run'), standardize: true } as const;
  await expect(train(model, request)).rejects.toThrow(/expected a model in float32|standardize/);
});
