import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stubRuntime } from '../../scripts/stub-runtime.ts';
import { cudaCoverage } from '../../src/runtime/cuda/coverage.ts';
import { diagnoseCuda } from '../../src/runtime/cuda/diagnose.ts';
import { checkBodies, explainRefusal } from '../../src/runtime/cuda/guard.ts';
import { cudaPlacement } from '../../src/runtime/cuda/placement.ts';
import { runIsolated } from '../../src/runtime/device/isolated.ts';
import { model, TYPES } from './models.ts';

const provider = process.env.LOSSGRAFT_CUDA_PROVIDER;
if (!provider) {
  throw new Error(
    'Let LOSSGRAFT_CUDA_PROVIDER name a folder that lossgraft doctor --setup-cuda --to FOLDER has filled',
  );
}
const refusal = new Error('fallback to CPU EP has been explicitly disabled by the user.');

describe('the real CUDA provider over stub libraries', () => {
  let folder = '';
  let stub: Awaited<ReturnType<typeof stubRuntime>>;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lossgraft-test-'));
    stub = await stubRuntime(provider, folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const pool = (opset: number): Uint8Array =>
    model(
      [
        ['MaxPool', ['x'], ['p'], { kernel_shape: [2, 2] }],
        ['Relu', ['p'], ['y']],
      ],
      { x: { dims: ['N', 3, 4, 4] } },
      ['y'],
      opset,
    );

  it('names the node that stays on the CPU', async () => {
    expect(await cudaPlacement({ model: pool(21), ...stub })).toEqual({ total: 2, shapeNodes: [], strays: [] });
    const { strays } = await cudaPlacement({ model: pool(22), ...stub });
    expect(strays).toEqual([{ provider: 'CPUExecutionProvider', op: 'MaxPool', name: 'maxpool_node' }]);
    const run = { model: pool(22), provider: 'cuda', ...stub } as const;
    expect((await runIsolated(run)).error).toContain('fallback to CPU EP has been explicitly disabled');
    await expect(explainRefusal('m', run, refusal)).rejects.toMatchObject({ code: 'cuda-node-on-cpu' });
  });

  it('allows shape arithmetic, and lists it', async () => {
    const lines = [
      ['Shape', ['x'], ['s']],
      ['Gather', ['s', 'i'], ['n']],
      ['ConstantOfShape', ['n'], ['c']],
      ['Add', ['x', 'c'], ['y']],
    ] as const;
    const bytes = model(lines, { x: { dims: ['N', 1] }, i: { type: TYPES.INT64 ?? 0, dims: [1] } }, ['y']);
    const run = { model: bytes, provider: 'cuda', optimization: 'disabled', ...stub } as const;
    const { strays, shapeNodes } = await cudaPlacement(run);
    expect(strays).toEqual([]);
    if (shapeNodes.length > 0) expect(await explainRefusal('m', run, refusal)).toEqual(shapeNodes);
  });

  it("looks into a Loop's body, which ONNX Runtime's refusal does not", async () => {
    const { onnx } = await import('onnx-proto');
    const loop = (opset: number): Uint8Array => {
      const body = onnx.ModelProto.decode(pool(opset)).graph;
      const host = onnx.ModelProto.decode(
        model(
          [['If', ['c'], ['z']]],
          { c: { type: TYPES.BOOL ?? 0, dims: [] }, x: { dims: ['N', 3, 4, 4] } },
          ['z'],
          opset,
        ),
      );
      const branch = onnx.GraphProto.create({ name: 'branch', node: body?.node ?? [], output: body?.output ?? [] });
      const type = onnx.AttributeProto.AttributeType.GRAPH;
      host.graph?.node?.[0]?.attribute?.push(
        onnx.AttributeProto.create({ name: 'then_branch', type, g: branch }),
        onnx.AttributeProto.create({ name: 'else_branch', type, g: branch }),
      );
      return onnx.ModelProto.encode(host).finish();
    };
    const run = (opset: number) => ({ model: loop(opset), provider: 'cuda', ...stub }) as const;
    expect((await runIsolated(run(22))).error).toBeUndefined();
    expect(await checkBodies('m', run(21))).toEqual([]);
    await expect(checkBodies('m', run(22))).rejects.toThrow('MaxPool (maxpool_node)');
  });

  it('agrees with the coverage table', async () => {
    const unary = [
      'Relu',
      'Exp',
      'Softmax',
      'LogSoftmax',
      'Elu',
      'Selu',
      'Sign',
      'Erf',
      'Sigmoid',
      'GlobalAveragePool',
    ];
    for (const operator of unary) {
      for (const opset of [17, 22]) {
        const bytes = model([[operator, ['x'], ['y']]], { x: { dims: ['N', 3, 4, 4] } }, ['y'], opset);
        const { strays } = await cudaPlacement({ model: bytes, optimization: 'disabled', ...stub });
        expect(cudaCoverage(operator, opset).status, `${operator} ${opset}`).toBe(strays.length === 0 ? 'cuda' : 'cpu');
      }
    }
  });

  it('does not pass for a GPU in the diagnosis', async () => {
    const search = {
      environment: [stub.environment.LD_LIBRARY_PATH ?? ''],
      cache: new Map(),
      defaults: ['/lib/x86_64-linux-gnu', '/lib64'],
    };
    await writeFile(join(folder, 'nvidia0'), '');
    const { works, findings } = await diagnoseCuda({ runtime: stub.runtime, search, devices: folder });
    expect(works).toBe(false);
    expect(findings.filter(({ ok }) => !ok).map(({ check }) => check)).toEqual(['libcudnn.so.9', 'run']);
  });
});
