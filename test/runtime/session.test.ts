import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readProfile } from '../../src/runtime/device/profile.ts';
import { openSession, runtimeVersion } from '../../src/runtime/session.ts';
import type { DataType, Tensor, TensorData } from '../../src/tensor.ts';
import { model, TYPES } from './models.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lossgraft-test-'));
});
afterAll(() => rm(folder, { recursive: true }));

const float = (dims: readonly number[], ...data: number[]): Tensor => ({
  dtype: 'float32',
  dims,
  data: Float32Array.from(data),
});
const sum = model([['Add', ['a', 'b'], ['y']]], { a: { dims: ['N', 2, null] }, b: { dims: ['N', 2, 1] } }, ['y']);

describe('openSession', () => {
  it('lists inputs and outputs, with symbols as strings and unknown sizes as undefined', async () => {
    const session = await openSession(sum);
    expect(session.inputs).toEqual([
      { name: 'a', dtype: 'float32', shape: ['N', 2, undefined] },
      { name: 'b', dtype: 'float32', shape: ['N', 2, 1] },
    ]);
    expect(session.outputs).toEqual([{ name: 'y', dtype: 'float32', shape: ['N', 2, undefined] }]);
    await session.close();
  });

  it('takes a path as well as bytes, and names the file in errors', async () => {
    const path = join(folder, 'sum.onnx');
    await writeFile(path, sum);
    const session = await openSession(path);
    await expect(session.run({})).rejects.toThrow('[sum.onnx, input a] expected float32[N, 2, ?], found no feed');
    await session.close();
    await expect(openSession(join(folder, 'absent.onnx'))).rejects.toMatchObject({ code: 'model-not-found' });
  });

  it('finds the external data of bytes where it is told, and wants no folder for a path', async () => {
    const { onnx } = await import('onnx-proto');
    const host = onnx.ModelProto.decode(sum);
    const dataLocation = onnx.TensorProto.DataLocation.EXTERNAL;
    const externalData = [{ key: 'location', value: 'b.bin' }];
    host.graph?.input?.pop();
    host.graph?.initializer?.push(
      onnx.TensorProto.create({ dims: [1, 2, 1], dataType: TYPES.FLOAT ?? 0, name: 'b', dataLocation, externalData }),
    );
    await writeFile(join(folder, 'b.bin'), new Uint8Array(Float32Array.of(10, 20).buffer));
    const session = await openSession(onnx.ModelProto.encode(host).finish(), { externalDataFolder: folder });
    expect(await session.run({ a: float([1, 2, 1], 1, 2) })).toEqual({ y: float([1, 2, 1], 11, 22) });
    await session.close();
    const path = join(folder, 'sum.onnx');
    await expect(openSession(path, { externalDataFolder: folder })).rejects.toMatchObject({ code: 'unused-option' });
  });

  it("keeps ONNX Runtime's own error as the cause", async () => {
    const error = await openSession(new Uint8Array([1, 2, 3]), { name: 'broken' }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'model-not-loaded', problem: { where: 'broken' }, cause: expect.any(Error) });
  });

  it('runs on the runtime that package.json pins', () => expect(runtimeVersion).toBe('1.30.0'));
});

describe('run', () => {
  it('adds', async () => {
    const session = await openSession(sum);
    const { y } = await session.run({ a: float([1, 2, 2], 1, 2, 3, 4), b: float([1, 2, 1], 10, 20) });
    expect(y).toEqual(float([1, 2, 2], 11, 12, 23, 24));
    await session.close();
  });

  it.each([
    ['unknown-feed', { a: float([1, 2, 1], 1, 2), b: float([1, 2, 1], 1, 2), c: float([1], 1) }, 'input c'],
    ['missing-feed', { a: float([1, 2, 1], 1, 2) }, 'input b'],
    [
      'wrong-dtype',
      { a: { ...float([1, 2, 1]), dtype: 'float64', data: Float64Array.of(1, 2) }, b: float([1, 2, 1], 1, 2) },
      'a',
    ],
    ['wrong-rank', { a: float([1, 2], 1, 2), b: float([1, 2, 1], 1, 2) }, 'input a'],
    ['wrong-shape', { a: float([1, 2, 1], 1, 2), b: float([1, 2, 2], 1, 2, 3, 4) }, 'input b'],
    ['symbol-mismatch', { a: float([1, 2, 1], 1, 2), b: float([2, 2, 1], 1, 2, 3, 4) }, 'input b'],
    ['wrong-length', { a: float([1, 2, 1], 1, 2, 3), b: float([1, 2, 1], 1, 2) }, 'input a'],
    ['wrong-storage', { a: { ...float([1, 2, 1]), data: Int32Array.of(1, 2) }, b: float([1, 2, 1], 1, 2) }, 'input a'],
    [
      'dtype-not-carried',
      { a: { ...float([1, 2, 1]), dtype: 'bfloat16', data: Uint16Array.of(1, 2) }, b: float([1, 2, 1], 1, 2) },
      'a',
    ],
  ] satisfies [string, Record<string, Tensor>, string][])('refuses %s', async (code, feeds, where) => {
    const session = await openSession(sum);
    const error = await session.run(feeds).catch((e: unknown) => e);
    expect(error).toMatchObject({ code, problem: { where: expect.stringContaining(where) } });
    await session.close();
  });

  it('lets sizes differ that an exporter called None or ?', async () => {
    const session = await openSession(
      model([['Identity', ['x'], ['y']]], { x: { dims: ['?', '?', 'None', 'None'] } }, ['y']),
    );
    const x = float([1, 2, 3, 1], 1, 2, 3, 4, 5, 6);
    expect(await session.run({ x })).toEqual({ y: x });
    await session.close();
  });

  it('refuses a feed for an initializer that is also a graph input, which ONNX Runtime would ignore', async () => {
    const { onnx } = await import('onnx-proto');
    const host = onnx.ModelProto.decode(sum);
    const two = { dims: [1, 2, 1], dataType: TYPES.FLOAT ?? 0, name: 'b', floatData: [10, 20] };
    host.graph?.initializer?.push(onnx.TensorProto.create(two));
    const session = await openSession(onnx.ModelProto.encode(host).finish());
    const a = float([1, 2, 1], 1, 2);
    expect(session.inputs.map(({ name }) => name)).toEqual(['a']);
    await expect(session.run({ a, b: float([1, 2, 1], 0, 0) })).rejects.toMatchObject({ code: 'unknown-feed' });
    expect(await session.run({ a })).toEqual({ y: float([1, 2, 1], 11, 22) });
    await session.close();
  });

  it('fetches what is asked for, and refuses what is not there', async () => {
    const lines = [
      ['Exp', ['x'], ['e']],
      ['Neg', ['x'], ['n']],
    ] as const;
    const session = await openSession(model(lines, { x: { dims: [1] } }, ['e', 'n']));
    expect(Object.keys(await session.run({ x: float([1], 0) }, ['n']))).toEqual(['n']);
    await expect(session.run({ x: float([1], 0) }, ['m'])).rejects.toMatchObject({ code: 'unknown-fetch' });
    await session.close();
  });

  it('wraps what ONNX Runtime throws while it runs, with the shapes that it was given', async () => {
    const gather = model(
      [['Gather', ['x', 'i'], ['y']]],
      { x: { dims: ['N'] }, i: { type: TYPES.INT64 ?? 0, dims: [] } },
      ['y'],
    );
    const session = await openSession(gather, { name: 'gather' });
    const i: Tensor = { dtype: 'int64', dims: [], data: BigInt64Array.of(7n) };
    const error = await session.run({ x: float([2], 1, 2), i }).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'run-failed',
      problem: { where: 'gather', hint: 'It was given x float32[2], i int64[]' },
      cause: expect.any(Error),
    });
    await session.close();
  });

  const values: readonly [DataType, TensorData][] = [
    ['float32', Float32Array.of(-0, 1e-45)],
    ['float64', Float64Array.of(Math.PI, 5e-324)],
    ['float16', Uint16Array.of(0x3c00, 0x8001)],
    ['int8', Int8Array.of(-128, 127)],
    ['int16', Int16Array.of(-32768, 1)],
    ['int32', Int32Array.of(-(2 ** 31), 1)],
    ['int64', BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n)],
    ['uint8', Uint8Array.of(0, 255)],
    ['uint16', Uint16Array.of(0, 65535)],
    ['uint32', Uint32Array.of(0, 2 ** 32 - 1)],
    ['uint64', BigUint64Array.of(0n, 2n ** 64n - 1n)],
    ['bool', Uint8Array.of(0, 1)],
    ['string', ['', 'long tail']],
  ];
  it.each(values)('carries %s bit for bit', async (dtype, data) => {
    const names: Partial<Record<DataType, string>> = { float32: 'FLOAT', float64: 'DOUBLE' };
    const type = TYPES[names[dtype] ?? dtype.toUpperCase()] ?? 0;
    const session = await openSession(model([['Identity', ['x'], ['y']]], { x: { type, dims: [2] } }, ['y']));
    const x = { dtype, dims: [2], data };
    expect(await session.run({ x })).toEqual({ y: x });
    await session.close();
  });

  it('runs an empty batch', async () => {
    const session = await openSession(sum);
    expect(await session.run({ a: float([0, 2, 3]), b: float([0, 2, 1]) })).toEqual({ y: float([0, 2, 3]) });
    await session.close();
  });

  it('refuses a closed session', async () => {
    const session = await openSession(sum);
    await session.close();
    await session.close();
    await expect(session.run({})).rejects.toMatchObject({ code: 'session-closed' });
  });
});

describe('profiles', () => {
  it('names every node with its provider', async () => {
    const lines = [
      ['Exp', ['x'], ['e']],
      ['Neg', ['e'], ['y']],
    ] as const;
    const session = await openSession(model(lines, { x: { dims: ['N'] } }, ['y']), {
      profile: join(folder, 'profile'),
      optimization: 'off',
    });
    await session.run({ x: float([1], 0) });
    await session.run({ x: float([2], 0, 1) });
    const path = await session.endProfiling();
    await session.close();
    expect(await readProfile(path)).toEqual([
      { provider: 'CPUExecutionProvider', op: 'Exp', name: 'exp_node', floats: 2, doubles: 0 },
      { provider: 'CPUExecutionProvider', op: 'Neg', name: 'neg_node', floats: 2, doubles: 0 },
    ]);
    expect((await readdir(folder)).filter((file) => file.endsWith('.json'))).toHaveLength(1);
  });

  it('refuses a file that is no profile', async () => {
    const path = join(folder, 'no-profile');
    await writeFile(path, '[{"cat":"Node","name":"x_kernel_time","args":{}}]');
    await expect(readProfile(path)).rejects.toMatchObject({ code: 'bad-profile' });
    await writeFile(path, '[{"cat"');
    await expect(readProfile(path)).rejects.toMatchObject({ code: 'bad-profile' });
  });

  it('wants the option', async () => {
    const session = await openSession(sum);
    await expect(session.endProfiling()).rejects.toMatchObject({ code: 'no-profile' });
    await session.close();
  });
});
