import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Model, type TrainGraph, type TrainGraphOptions, trainGraph } from '../../src/index.ts';
import { buildGraph } from '../../src/ir/build.ts';
import { open } from '../../src/model.ts';
import { openSession, type Session } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { LOSS_SCALE, SCALER, SKIPPED_STEPS } from '../../src/transform/lossScale.ts';
import { ROOT } from '../support/cli.ts';
import { type Course, largestDeviation, lossCurve } from '../support/lossCurves.ts';
import { NETWORKS } from '../support/networks.ts';
import { mlp, trainHost } from '../support/trainHosts.ts';

const MLP: Course = {
  model: join(NETWORKS, 'mlp/torchscript-opset17-eval/model.onnx'),
  classes: 6,
  steps: 40,
  rate: 0.02,
};
const CNN: Course = {
  model: join(NETWORKS, 'resnet/torchscript-opset17-train/model.onnx'),
  classes: 5,
  steps: 20,
  rate: 0.003,
  batch: 32,
  batchNorm: 'train',
};
const TRANSFORMER: Course = {
  model: join(NETWORKS, 'transformer/torchscript-opset17-eval/model.onnx'),
  classes: 5,
  steps: 20,
  rate: 0.02,
};

describe('mixed precision', () => {
  it.each([
    ['an MLP', MLP],
    ['a CNN with BatchNorm', CNN],
    ['a transformer', TRANSFORMER],
  ])('%s has the losses of float32 to 1 %%', async (_, course) => {
    const float32 = await lossCurve(course, 'float32');
    for (const precision of ['mixed', 'mixed-bfloat16'] as const) {
      const { losses } = await lossCurve(course, precision);
      expect(largestDeviation(float32.losses, losses)).toBeLessThan(0.01);
      // Half precision it is: no loss of the second half is float32's own.
      expect(losses.slice(losses.length / 2).every((loss, i) => loss !== float32.losses[losses.length / 2 + i])).toBe(
        true,
      );
    }
  });

  it('writes files whose products are in half precision and whose states are float32', async () => {
    const host = await trainHost(mlp());
    for (const [precision, dtype] of [
      ['mixed', 'float16'],
      ['mixed-bfloat16', 'bfloat16'],
    ] as const) {
      const graph = await trainGraph(host, { loss: 'ce', trainable: 'all', precision });
      expect(graph.report.states.every(({ dtype }) => dtype === 'float32')).toBe(true);
      const types = await castsOf(graph);
      expect(types).toContain(dtype);
    }
  });

  it('is refused on WebGPU, where it was never tried', async () => {
    const options = { loss: 'ce', trainable: 'all', target: 'webgpu', precision: 'mixed' } as const;
    await expect(trainGraph(await trainHost(mlp()), options)).rejects.toThrow(
      /float32 on WebGPU.*Leave the option out/,
    );
  });

  it('refuses what has no product to compute so', async () => {
    const lines = [
      ['Conv(x, w1) -> a'],
      ['Relu(a) -> b'],
      ['GlobalAveragePool(b) -> c'],
      ['Flatten(c) -> logits'],
    ] as const;
    const conv = { lines, weights: { w1: [3, 1, 2, 2] }, inputs: { x: ['N', 1, 4, 4] } };
    const host = await trainHost(conv);
    const options = { loss: 'ce', trainable: 'all' } as const;
    await expect(trainGraph(host, { ...options, precision: 'mixed-bfloat16' })).rejects.toThrow(
      /bfloat16 begins with opset 22.*Use mixed/,
    );
    await expect(trainGraph(host, { ...options, precision: 'mixed' })).resolves.toBeDefined();
  });
});

describe('dynamic loss scaling', () => {
  it('raises and lowers the scale as torch.amp.GradScaler', async () => {
    const judged = JSON.parse(readFileSync(join(ROOT, 'fixtures/scaling/scaler.json'), 'utf8'));
    const overflows = new Set<number>(judged.overflows);
    const run = await opened(await trainHost(mlp()), {});
    let before = judged.initial;
    const changes: [number, number][] = [];
    for (let step = 0; step < judged.steps; step++) {
      const scale = (await run.step(overflows.has(step) ? Number.POSITIVE_INFINITY : 1)).number(LOSS_SCALE);
      if (scale !== before) changes.push([step, scale]);
      before = scale;
    }
    expect(changes).toEqual(judged.changes);
    expect(run.number(SKIPPED_STEPS)).toBe(judged.steps - judged.taken);
    await run.close();
  });

  it('keeps a scale that would be infinite', async () => {
    const run = await opened(await trainHost(mlp()), {});
    run.set(LOSS_SCALE, 2 ** 127);
    run.set('lossgraft.steps_since_skip', SCALER.interval - 1);
    // Inputs of zero have gradients of zero at any scale.
    expect((await run.step(0)).number(LOSS_SCALE)).toBe(2 ** 127);
    expect(run.number('lossgraft.steps_since_skip')).toBe(0);
    await run.close();
  });

  it('leaves all that the optimizer holds as it was where a step is skipped', async () => {
    const run = await opened(await trainHost(mlp()), { optimizer: 'adamw', clipNorm: 1 });
    await run.step(1);
    const before = run.optimizerState();
    await run.step(Number.POSITIVE_INFINITY);
    expect(run.optimizerState()).toEqual(before);
    await run.step(1);
    expect(run.optimizerState()).not.toEqual(before);
    await run.close();
  });

  it('skips the whole step where one of its micro-batches overflows, and only that', async () => {
    const run = await opened(await trainHost(mlp()), { accumulate: 2 });
    const before = run.optimizerState();
    await run.step(Number.POSITIVE_INFINITY);
    expect(run.number(SKIPPED_STEPS)).toBe(0);
    await run.step(1);
    expect(run.number(SKIPPED_STEPS)).toBe(1);
    expect(run.optimizerState()).toEqual(before);
    await run.step(1);
    await run.step(1);
    expect(run.number(SKIPPED_STEPS)).toBe(1);
    expect(run.optimizerState()).not.toEqual(before);
    await run.close();
  });
});

interface Run {
  /** One step on a batch whose inputs are all `x`. */
  step(x: number): Promise<Run>;
  number(state: string): number;
  set(state: string, value: number): void;
  /** Parameters and slots, without those of the scale and of accumulation. */
  optimizerState(): Readonly<Record<string, readonly unknown[]>>;
  close(): Promise<void>;
}

async function opened(host: Model, options: Partial<TrainGraphOptions>): Promise<Run> {
  const graph = await trainGraph(host, { loss: 'ce', trainable: 'all', precision: 'mixed', ...options });
  const session: Session = await openSession(graph.bytes().get('step.onnx') ?? new Uint8Array());
  const state: Record<string, Tensor> = Object.fromEntries(graph.initialState());
  const run: Run = {
    step: async (x) => {
      const feeds = {
        x: { dtype: 'float32', dims: [1, 4], data: new Float32Array(4).fill(x) },
        labels: { dtype: 'int64', dims: [1], data: BigInt64Array.of(1n) },
        learning_rate: { dtype: 'float32', dims: [], data: Float32Array.of(0.1) },
      } as const;
      const results = await session.run({ ...state, ...feeds });
      for (const name of Object.keys(state)) state[name] = results[`${name}.next`] as Tensor;
      return run;
    },
    number: (name) => Number(state[name]?.data[0]),
    set: (name, value) => {
      state[name] = { dtype: 'float32', dims: [], data: Float32Array.of(value) };
    },
    optimizerState: () =>
      Object.fromEntries(
        Object.entries(state)
          .filter(([name]) => !name.startsWith('lossgraft.') && !name.endsWith('.accumulated'))
          .map(([name, { data }]) => [name, Array.from(data, Number)]),
      ),
    close: () => session.close(),
  };
  return run;
}

/** The types that Cast nodes of a training step give, by their numbers in ONNX. */
async function castsOf(graph: TrainGraph): Promise<string[]> {
  const model = await open(graph.bytes().get('step.onnx') ?? new Uint8Array());
  const casts = buildGraph(model.proto).nodes.filter(({ opType }) => opType === 'Cast');
  const names: Readonly<Record<string, string>> = { 10: 'float16', 16: 'bfloat16' };
  return casts.flatMap(({ attributes }) => {
    const to = attributes.get('to');
    return to?.type === 'int' ? (names[String(to.value)] ?? []) : [];
  });
}
