import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { open, type TrainGraphOptions, trainGraph } from '../../src/index.ts';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROW_OFFSET, STEP_COUNTER } from '../../src/transform/dropout.ts';
import { dropoutMlp } from '../support/dropoutMlp.ts';
import { floats } from './oldModels.ts';

const scratch = mkdtempSync(join(tmpdir(), 'lossgraft-dropout-training-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const host = join(scratch, 'mlp.onnx');
writeFileSync(host, dropoutMlp());

const STEPS = 4;
const labels: Tensor = {
  dtype: 'int64',
  dims: [STEPS, 6],
  data: BigInt64Array.from({ length: 24 }, (_, i) => BigInt(i % 3)),
};
const images = floats(STEPS, 6, 5);

async function graphOf(form: TrainGraphOptions['form']) {
  const model = await open(host);
  const graph = await trainGraph(model, {
    loss: 'ce',
    optimizer: 'sgd',
    trainable: 'all',
    dropout: 'train',
    seed: 3,
    ...(form ? { form } : {}),
  });
  const [bytes] = graph.bytes().values();
  const state = Object.fromEntries(graph.initialState());
  model.close();
  if (!bytes) throw new Error('no file');
  return { session: await openSession(bytes), state };
}

function batch(step: number): Record<string, Tensor> {
  const part = (tensor: Tensor, size: number): Tensor => ({
    ...tensor,
    dims: tensor.dims.slice(1),
    data: tensor.data.slice(step * size, (step + 1) * size),
  });
  return { x: part(images, 30), labels: part(labels, 6) };
}

const scalar = (value: number): Tensor => ({ dtype: 'float32', dims: [], data: Float32Array.of(value) });

async function bySteps(): Promise<{ losses: number[]; state: Record<string, Tensor> }> {
  const { session, state } = await graphOf('step');
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const found = await session.run({ ...batch(step), learning_rate: scalar(0.1), ...state });
    for (const name of Object.keys(state)) state[name] = found[`${name}.next`] as Tensor;
    losses.push(...toNumbers(found.loss as Tensor));
  }
  await session.close();
  return { losses, state };
}

describe('training with dropout', () => {
  it('draws the same masks step by step, in the loop and in the split form, and again', async () => {
    const steps = await bySteps();
    expect(toNumbers(steps.state[STEP_COUNTER] as Tensor)).toEqual([STEPS]);
    expect(await bySteps()).toEqual(steps);
    const loop = await graphOf('loop');
    const rates: Tensor = { dtype: 'float32', dims: [STEPS], data: new Float32Array(STEPS).fill(0.1) };
    const found = await loop.session.run({ x: images, labels, learning_rate: rates, ...loop.state });
    expect(toNumbers(found.loss as Tensor)).toEqual(steps.losses);
    for (const [name, tensor] of Object.entries(steps.state)) expect(found[`${name}.next`], name).toEqual(tensor);
    const split = await graphOf('split');
    const names = new Set(split.session.inputs.map(({ name }) => name));
    const own = Object.fromEntries(Object.entries(split.state).filter(([name]) => names.has(name)));
    const offset: Tensor = { dtype: 'int64', dims: [], data: BigInt64Array.of(0n) };
    const first = await split.session.run({ ...batch(0), ...own, [ROW_OFFSET]: offset });
    expect(toNumbers(first.loss as Tensor)).toEqual(steps.losses.slice(0, 1));
    await Promise.all([loop.session.close(), split.session.close()]);
  });
});
