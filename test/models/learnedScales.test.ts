import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { evaluate, open, openData, train, trainGraph } from '../../src/index.ts';
import { opened } from '../../src/model.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { arraysOf } from '../support/networks.ts';
import { WHOLE_BATCH, weightsIn } from '../support/trainedFile.ts';

/** See fixtures/qdq/generate.py. */
const path = (name: string): string => join(ROOT, 'fixtures/qdq', name);

describe('scales that are trained', () => {
  it.each(['tensor', 'channel'])('%s: PyTorch’s learnable fake_quantize has the same gradients', async (name) => {
    const model = await open(path(`${name}.onnx`));
    const graph = await trainGraph(model, {
      loss: 'ce',
      classWeights: 'none',
      trainable: 'all',
      learnScales: true,
      form: 'split',
    });
    const { loss, ...arrays } = await arraysOf(path(`scales-${name}.npz`));
    const { x, labels } = await arraysOf(path('data.npz'));
    const gradients = Object.keys(arrays).filter((key) => key.endsWith('.grad'));
    const masters = Object.entries(arrays).filter(([key]) => !gradients.includes(key));
    const given = masters.map(([key, { dims, ...rest }]) => [key, { ...rest, dims: dims.slice(1) }]);
    const session = await openSession(graph.bytes().get('gradients.onnx') ?? '');
    const states = new Map([...graph.initialState(), ...(given as [string, Tensor][])]);
    const feeds = session.inputs.map(({ name: input }) => [input, { x, labels }[input] ?? states.get(input)]);
    const found = await session.run(Object.fromEntries(feeds));
    await session.close();
    expect(toNumbers(found.loss as Tensor)[0]).toBeCloseTo(toNumbers(loss as Tensor)[0] ?? Number.NaN, 5);
    expect(gradients).toHaveLength(3);
    for (const key of gradients) {
      const [own, theirs] = [toNumbers(found[key] as Tensor), toNumbers(arrays[key] as Tensor)];
      const largest = Math.max(...theirs.map(Math.abs));
      expect(largest).toBeGreaterThan(1e-3);
      for (const [i, value] of theirs.entries())
        expect(Math.abs((own[i] ?? Number.NaN) - value)).toBeLessThan(1e-4 * largest);
    }
  });

  it.each(['tensor', 'channel', 'operators', 'operators-channel', 'dynamic'])(
    '%s: they are written back, stay positive, and the file is what was judged',
    async (name) => {
      const model = await open(path(`${name}.onnx`));
      const data = await openData(path('data.npz'));
      const folder = temporaryFolder();
      const { momentum: _, ...common } = WHOLE_BATCH;
      const options = { ...common, optimizer: 'adamw', learningRate: 0.02, learnScales: true } as const;
      const result = await train(model, { ...options, data, validation: data, folder: join(folder, 'run') });
      const tuned = join(folder, 'tuned.onnx');
      await result.write(tuned, { anyway: true });
      expect(result.notes.join()).toMatch(/The scales of 3 weights are trained too/);
      const { metrics } = await evaluate(await open(tuned), await openData(path('data.npz')));
      expect(metrics.logLoss).toBeCloseTo(result.arms[0]?.judged?.logLoss ?? Number.NaN, 2);
      const [before, after] = [weightsIn(model), weightsIn(await open(tuned))];
      const scales = [...before.keys()].filter((key) => /weight(_Transposed)?_scale$/.test(key));
      expect(scales).toHaveLength(3);
      for (const key of scales) {
        expect(after.get(key)).not.toEqual(before.get(key));
        expect(after.get(key)?.every((value) => value > 0)).toBe(true);
      }
      const others = [...before.keys()].filter((key) => !/weight|bias/.test(key));
      for (const key of others) expect(after.get(key)).toEqual(before.get(key));
      expect(readFileSync(tuned)).toHaveLength(readFileSync(path(`${name}.onnx`)).length);
      expect(opened(model).proto.graph.nodes.length).toBe(opened(await open(tuned)).proto.graph.nodes.length);
    },
  );

  it('a bias’s step is the product of the trained scale and its input’s', async () => {
    const model = await open(path('channel.onnx'));
    const data = await openData(path('data.npz'));
    const folder = temporaryFolder();
    const result = await train(model, {
      ...WHOLE_BATCH,
      learnScales: true,
      data,
      validation: data,
      folder: join(folder, 'run'),
    });
    const tuned = join(folder, 'tuned.onnx');
    await result.write(tuned, { anyway: true });
    const found = weightsIn(await open(tuned));
    const [x] = found.get('x_scale') ?? [];
    const products = found.get('0.weight_scale')?.map((scale) => scale * (x ?? Number.NaN)) ?? [];
    const steps = found.get('0.bias_quantized_scale') ?? [];
    expect(steps).toHaveLength(6);
    for (const [i, step] of steps.entries()) expect(step / (products[i] ?? Number.NaN)).toBeCloseTo(1, 5);
  });

  it('is refused where no weight is quantised', async () => {
    const model = await open(join(ROOT, 'fixtures/qdq/nbits.onnx'));
    await expect(trainGraph(model, { loss: 'ce', learnScales: true, trainable: 'all' })).rejects.toThrow(
      /expected trained weights that the file quantises, each with a scale of its own, found none/,
    );
  });
});
