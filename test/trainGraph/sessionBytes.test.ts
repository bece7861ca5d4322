import { copyFileSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { open, trainGraph } from '../../src/index.ts';
import { openSession, type Session } from '../../src/runtime/session.ts';
import { elementCount, type Tensor } from '../../src/tensor.ts';

const folder = mkdtempSync(join(tmpdir(), 'session-bytes-'));
afterAll(() => rmSync(folder, { recursive: true }));

const path = join(folder, 'model.onnx');
copyFileSync(fileURLToPath(new URL('../../fixtures/digits/model.onnx', import.meta.url)), path);

function stepFeeds(session: Session, state: ReadonlyMap<string, Tensor>): Record<string, Tensor> {
  const data = session.inputs.filter(({ name }) => !state.has(name));
  const own = data.map(({ name, dtype = 'float32', shape = [] }): [string, Tensor] => {
    const dims = shape.map((dim) => (typeof dim === 'number' ? dim : 2));
    const count = elementCount(dims);
    const numbers = Float32Array.from({ length: count }, (_, i) => Math.sin(i));
    return [name, { dtype, dims, data: dtype === 'int64' ? new BigInt64Array(count) : numbers }];
  });
  return { ...Object.fromEntries(state), ...Object.fromEntries(own) };
}

async function step(bytes: Uint8Array, state: ReadonlyMap<string, Tensor>): Promise<Record<string, Tensor>> {
  const session = await openSession(bytes, { externalDataFolder: folder });
  try {
    return await session.run(stepFeeds(session, state));
  } finally {
    await session.close();
  }
}

describe('a session of a training graph', () => {
  it('reads the frozen weights where the model has them, and computes the same', async () => {
    const model = await open(path);
    const graph = await trainGraph(model, { loss: 'ce', trainable: 'head' });
    const [whole = new Uint8Array()] = graph.bytes().values();
    const light = graph.sessionBytes();
    expect(whole.length - light.length).toBeGreaterThan(statSync(path).size / 2);
    const state = graph.initialState();
    expect(await step(light, state)).toEqual(await step(whole, state));
    model.close();
  });

  it('has them within where the model is a symbolic link, which ONNX Runtime does not follow', async () => {
    const link = join(mkdtempSync(join(folder, 'link-')), 'model.onnx');
    symlinkSync(path, link);
    const model = await open(link);
    const graph = await trainGraph(model, { loss: 'ce', trainable: 'head' });
    const [whole] = graph.bytes().values();
    expect(graph.sessionBytes()).toEqual(whole);
    model.close();
  });

  it('has them within where another file took the name of the model', async () => {
    const model = await open(path);
    const graph = await trainGraph(model, { loss: 'ce', trainable: 'head' });
    const [whole = new Uint8Array()] = graph.bytes().values();
    copyFileSync(path, join(folder, 'new.onnx'));
    renameSync(join(folder, 'new.onnx'), path);
    expect(graph.sessionBytes()).toEqual(whole);
    model.close();
  });
});
