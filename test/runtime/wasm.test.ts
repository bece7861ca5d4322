import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tensorColumn } from '../../src/data/dataset.ts';
import { open, trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import type { Tensor } from '../../src/tensor.ts';
import { buildGradientCase, gradientCases, gradientFamilies, worstRatio } from '../support/gradientCases.ts';
import { arraysOf } from '../support/networks.ts';
import { modelBytes } from '../support/scratch.ts';
import { findTrajectories, type Trajectory } from '../support/trajectories.ts';
import { openWasm, type Wasm } from '../support/wasm.ts';

let wasm: Wasm;
beforeAll(async () => {
  wasm = await openWasm();
}, 60_000);
afterAll(async () => wasm?.close());

function ratio(actual: Tensor | undefined, expected: Parameters<typeof worstRatio>[1], rtol: number, atol: number) {
  return worstRatio(actual ? toNumbers(actual) : [], expected, rtol, atol);
}

describe("gradients in onnxruntime-web are PyTorch's", () => {
  it.each(gradientFamilies())('%s', { timeout: 240_000 }, async (family) => {
    const cases = gradientCases(family);
    for (const c of cases) {
      const { graph, feeds } = await buildGradientCase(c, { symbolic: c.symbolic?.[0] ?? 'all' });
      const results = await wasm.run(modelBytes(graph, c.opset), feeds);
      for (const [name, expected] of Object.entries(c.grads)) {
        const worst = ratio(results[`${name}.grad`], expected, c.rtol ?? 1e-5, c.atol ?? 1e-7);
        expect(worst, `${c.name}: ${name}.grad of ${c.torch}`).toBeLessThanOrEqual(1);
      }
    }
    expect(cases.length).toBeGreaterThan(20);
  });
});

const STEPS = 10;

describe("ten steps in one run of onnxruntime-web are PyTorch's", () => {
  it.each(findTrajectories().map((trajectory) => [trajectory.name, trajectory] as const))(
    '%s',
    async (_, trajectory) => {
      const { folder, name } = trajectory;
      const states = await arraysOf(join(folder, `${name}.npz`));
      const results = await loop(trajectory, STEPS * trajectory.accumulate);
      const prefix = `step${STEPS}/`;
      const reached = Object.entries(states).filter(([key]) => key.startsWith(prefix));
      expect(reached.length).toBeGreaterThan(2);
      for (const [key, { dims, data }] of reached) {
        const expected = { dims, data: toNumbers({ dtype: 'float32', dims, data }) };
        expect(ratio(results[`${key.slice(prefix.length)}.next`], expected, 1e-4, 0), key).toBeLessThanOrEqual(1);
      }
    },
  );
});

/** The first micro-batches of a trajectory, in the loop form. */
async function loop(
  { folder, options, learningRate }: Trajectory,
  count: number,
): Promise<Readonly<Record<string, Tensor>>> {
  const model = await open(join(folder, 'model.onnx'));
  const graph = await trainGraph(model, { ...options, form: 'loop' });
  const bytes = graph.bytes().get('step.onnx') ?? new Uint8Array();
  const feeds: Record<string, Tensor> = Object.fromEntries(graph.initialState());
  model.close();
  for (const [name, batches] of Object.entries(await arraysOf(join(folder, 'batches.npz')))) {
    feeds[name] = await tensorColumn(batches).read(0, count);
  }
  feeds.learning_rate = { dtype: 'float32', dims: [count], data: new Float32Array(count).fill(learningRate) };
  return wasm.run(bytes, feeds);
}
