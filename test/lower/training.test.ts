import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { blocked, expansions, gradients, webgpuExpansions } from '../../graphs/index.ts';
import { inputPorts } from '../../src/data/samples.ts';
import { open } from '../../src/model.ts';
import { openSession } from '../../src/runtime/session.ts';
import { elementCount, type Tensor } from '../../src/tensor.ts';
import { disagreement } from '../../src/trainer/disagreement.ts';
import { type TrainGraph, trainGraph } from '../../src/trainGraph/trainGraph.ts';
import { BLOCK, needsBlocks } from '../support/blocks.ts';
import { lossesByName, optimizersByName } from '../support/catalogue.ts';
import { NETWORKS } from '../support/networks.ts';

type Tensors = Record<string, Tensor>;

const STEPS = 20;

/** Folder, BatchNorm, batch, and how many blocked operators there are at least: so that none is compared with itself. */
const CASES = [
  ['resnet/torchscript-opset17-train', 'train', 16, 30],
  ['resnet/torchscript-opset17-train', 'train', 7, 20],
  ['resnet/dynamo-opset20-eval', 'frozen', 4, 15],
  ['mobile/torchscript-opset17-train', 'train', 16, 30],
  ['mobile/torchscript-opset17-eval', 'frozen', 3, 20],
] as const;

const REQUEST = {
  loss: lossNamed('ce'),
  lossOptions: {},
  optimizer: optimizerNamed('sgd'),
  optimizerOptions: { momentum: 0.9, weightDecay: 0, nesterov: false, dampening: 0 },
  trainable: 'all',
};

describe('training in blocked forms', needsBlocks, () => {
  it.each(CASES)(
    '%s, %s BatchNorm, batch %i: the losses and weights of the plain forms',
    async (folder, batchNorm, batch, least) => {
      const model = await open(join(NETWORKS, folder, 'model.onnx'));
      const [port] = inputPorts(model, 'labels');
      const shape = [batch, ...(port?.shape ?? []).slice(1).map(Number)];
      const make = (lower: boolean): Promise<TrainGraph> =>
        trainGraph(model, {
          ...REQUEST,
          form: 'step',
          batchNorm,
          calculus: { gradients, expansions, webgpuExpansions, blocked },
          ...(lower ? { lower: { block: BLOCK, batch } } : {}),
        });
      const [plain, other] = [await make(false), await make(true)];
      expect(plain.isLowered).toBe(false);
      expect(other.isLowered).toBe(true);
      expect(text(other).split('com.microsoft.nchwc').length - 2).toBeGreaterThanOrEqual(least);
      await expect(other.write('never.onnx')).rejects.toThrow(/cannot be written to a file/);
      const [a, b] = [await walk(plain, port?.name ?? '', shape), await walk(other, port?.name ?? '', shape)];
      for (const [step, loss] of a.losses.entries()) {
        expect(Math.abs((b.losses[step] ?? Number.NaN) / loss - 1), `loss of step ${step}`).toBeLessThan(1e-5);
      }
      for (const [name, tensor] of Object.entries(a.state)) {
        if (!name.endsWith('.momentum')) expect(difference(tensor, b.state[name]), name).toBeLessThan(1e-4);
      }
      model.close();
    },
    120_000,
  );

  it('a rule that is wrong on a network is caught by a step on noise', async () => {
    const model = await open(join(NETWORKS, 'mobile/torchscript-opset17-train', 'model.onnx'));
    const make = (rules: typeof blocked | undefined): Promise<TrainGraph> =>
      trainGraph(model, {
        ...REQUEST,
        form: 'loop',
        batchNorm: 'train',
        calculus: { gradients, expansions, webgpuExpansions, blocked: rules ?? {} },
        ...(rules ? { lower: { block: BLOCK, batch: 16 } } : {}),
      });
    const plain = await make(undefined);
    const where = { batch: 16, externalDataFolder: model.dir, loss: 'loss' };
    const found = (lowered: TrainGraph): Promise<string | undefined> => disagreement({ plain, lowered }, where);
    expect(await found(await make(blocked))).toBeUndefined();
    const noSwish: typeof blocked = {
      ...blocked,
      HardSwish: ({ input, isBlocked, blocked: form }) =>
        isBlocked(input(0)) ? [{ blocked: form(input(0)) }] : undefined,
    };
    expect(await found(await make(noSwish))).toMatch(/^a loss of/);
    const throughNorm: typeof blocked = {
      ...blocked,
      BatchNormTrainGrad: ({ input, isBlocked, canBlock, blocked: form }) =>
        isBlocked(input(1)) && canBlock(input(0))
          ? [{ blocked: form(input(0)) }, { plain: input(2) }, { plain: input(2) }]
          : undefined,
    };
    expect(await found(await make(throughNorm))).toMatch(/^a step that is/);
    model.close();
  }, 120_000);
});

function lossNamed(name: string) {
  const loss = lossesByName[name];
  if (loss) return loss;
  throw new Error(name);
}

function optimizerNamed(name: string) {
  const optimizer = optimizersByName[name];
  if (optimizer) return optimizer;
  throw new Error(name);
}

function text(graph: TrainGraph): string {
  return Buffer.from(graph.bytes().get('step.onnx') ?? []).toString('latin1');
}

async function walk(
  graph: TrainGraph,
  input: string,
  shape: readonly number[],
): Promise<{ losses: number[]; state: Tensors }> {
  const session = await openSession(graph.bytes().get('step.onnx') ?? new Uint8Array());
  let state: Tensors = Object.fromEntries(graph.initialState());
  const found: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const results = await session.run({ ...state, ...batchOf(input, shape, step) });
    found.push(Number(results.loss?.data[0]));
    state = Object.fromEntries(Object.keys(state).map((name) => [name, results[`${name}.next`] as Tensor]));
  }
  await session.close();
  return { losses: found, state };
}

function batchOf(input: string, shape: readonly number[], step: number): Tensors {
  const data = Float32Array.from(
    { length: elementCount(shape) },
    (_, i) => Math.sin(i * 12.9898 + step * 78.233) * 1.5,
  );
  const labels = BigInt64Array.from({ length: shape[0] ?? 1 }, (_, i) => BigInt((i + step) % 3));
  return {
    [input]: { dtype: 'float32', dims: shape, data },
    labels: { dtype: 'int64', dims: [labels.length], data: labels },
    learning_rate: { dtype: 'float32', dims: [], data: new Float32Array([0.002]) },
  };
}

function difference({ data }: Tensor, other: Tensor | undefined): number {
  let [largest, worst] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    const [a, b] = [Number(data[i]), Number(other?.data[i])];
    largest = Math.max(largest, Math.abs(a));
    if (!(Math.abs(a - b) <= worst)) worst = Math.abs(a - b);
  }
  return worst === 0 ? 0 : worst / largest;
}
