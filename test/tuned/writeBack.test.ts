import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { open, openData, trainGraph } from '../../src/index.ts';
import { openSession } from '../../src/runtime/session.ts';
import type { Tensor } from '../../src/tensor.ts';
import { writeTuned } from '../../src/tuned/writeBack.ts';
import { temporaryFolder } from '../support/cli.ts';
import { DIGITS, digitsWith, type Storage, weightsIn } from '../support/digits.ts';
import { NETWORKS } from '../support/networks.ts';

const CE = { loss: 'ce', trainable: 'all' } as const;

/** Other elements for every tensor of the state. */
function moved(state: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map(
    [...state].map(([name, { dtype, dims, data }], n) => [
      name,
      {
        dtype,
        dims,
        data: Float32Array.from(Array.from(data, Number), (value, i) => value + 0.001 * ((i % 7) + n + 1)),
      },
    ]),
  );
}

/** Initial parameters and statistics of a training graph: what is written back. */
async function tunable(path: string, options: Parameters<typeof trainGraph>[1]) {
  const model = await open(path);
  const graph = await trainGraph(model, options);
  const names = new Set(graph.report.states.filter(({ kind }) => kind !== 'slot').map(({ name }) => name));
  return { model, graph, state: new Map([...graph.initialState()].filter(([name]) => names.has(name))) };
}

/** Offsets at which two files differ. */
function differences(a: Uint8Array, b: Uint8Array): number[] {
  expect(b.length).toBe(a.length);
  return Array.from(a.keys()).filter((i) => a[i] !== b[i]);
}

async function lossOf(path: string, state?: ReadonlyMap<string, Tensor>): Promise<number> {
  const { model, graph } = await tunable(path, CE);
  const data = await openData(join(DIGITS, 'train.npz'));
  const read = async (name: string): Promise<Tensor> => {
    const column = data.columns.get(name);
    if (!column) throw new Error(name);
    return column.read(0, 64);
  };
  const feeds = { ...Object.fromEntries([...graph.initialState(), ...(state ?? [])]), labels: await read('labels') };
  const rate: Tensor = { dtype: 'float32', dims: [], data: Float32Array.of(0.1) };
  const bytes = graph.bytes().get('step.onnx') ?? new Uint8Array();
  const session = await openSession(bytes, { externalDataFolder: model.dir });
  const { loss } = await session.run({ ...feeds, images: await read('images'), learning_rate: rate }, ['loss']);
  await session.close();
  data.close();
  model.close();
  return Number(loss?.data[0]);
}

describe('writing trained weights back', () => {
  it.each<Storage>(['raw', 'typed', 'constant', 'external'])('%s: other bytes only where weights are', async (kind) => {
    const folder = temporaryFolder();
    const path = digitsWith(kind, folder);
    const data = join(folder, 'net.data');
    const before = { model: readFileSync(path), data: kind === 'external' ? readFileSync(data) : undefined };
    const { model, state } = await tunable(path, CE);
    expect(state.size).toBe(8);
    const trained = moved(state);
    const other = temporaryFolder();
    const out = join(other, 'tuned.onnx');
    writeTuned(model, trained, out);
    const weights = weightsIn(out, other);
    for (const [name, { data: elements }] of trained) expect(weights.get(name), name).toEqual(elements);
    const changed = differences(before.model, readFileSync(out));
    expect(readFileSync(path)).toEqual(before.model);
    if (before.data) {
      expect(changed).toEqual([]);
      expect(differences(before.data, readFileSync(join(other, 'net.data'))).every((i) => i >= 16)).toBe(true);
      expect(readFileSync(data)).toEqual(before.data);
    } else {
      const homes = [...state.values()].map(({ data: elements }) => {
        const bytes = elements as Float32Array;
        return homeOf(before.model, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
      });
      const stray = changed.filter((i) => !homes.some(({ from, to }) => i >= from && i < to));
      expect(stray).toEqual([]);
      expect(changed.length).toBeGreaterThan(13_706);
    }
    model.close();
    expect(await lossOf(out)).toBe(await lossOf(path, trained));
    expect(await lossOf(out)).not.toBe(await lossOf(path));
    expect(readdirSync(other).filter((file) => file.startsWith('.'))).toEqual([]);
  });

  it('in the model’s own folder external data get a file of the output’s', async () => {
    const folder = temporaryFolder();
    const path = digitsWith('external', folder);
    const data = readFileSync(join(folder, 'net.data'));
    const { model, state } = await tunable(path, CE);
    const trained = moved(state);
    const files = writeTuned(model, trained, join(folder, 'tuned.onnx'));
    expect(files.map((file) => file.slice(folder.length + 1))).toEqual(['tuned.net.data', 'tuned.onnx']);
    expect(readFileSync(join(folder, 'net.data'))).toEqual(data);
    expect(weightsIn(join(folder, 'tuned.onnx'), folder).get('fc2.bias')).toEqual(trained.get('fc2.bias')?.data);
    expect(await lossOf(join(folder, 'tuned.onnx'))).toBe(await lossOf(path, trained));
    model.close();
  });

  it('tensors of one tie that differ now stand apart, the others stay tied', async () => {
    const path = join(NETWORKS, 'ties/torchscript-opset17-eval-unfolded/model.onnx');
    const options = { loss: 'ce', trainable: 'conv1.*,fc1.bias', batchNorm: 'train' } as const;
    const { model, graph, state } = await tunable(path, options);
    expect([...state.keys()]).toContain('bn2.running_var');
    const trained = moved(state);
    const folder = temporaryFolder();
    const out = join(folder, 'tuned.onnx');
    writeTuned(model, trained, out, { untied: graph.untied });
    const weights = weightsIn(out, folder);
    for (const [name, { data }] of trained) expect(weights.get(name), name).toEqual(data);
    const given = weightsIn(path, folder);
    for (const [name, elements] of given) if (!trained.has(name)) expect(weights.get(name), name).toEqual(elements);
    // conv2.bias was an alias of conv1.bias, which moved: it keeps its own elements.
    expect(weights.get('conv2.bias')).toEqual(given.get('conv1.bias'));
    expect(weights.get('conv1.bias')).not.toEqual(given.get('conv1.bias'));
    model.close();
    const again = await tunable(out, options);
    for (const [name, { data }] of trained) expect(again.state.get(name)?.data, name).toEqual(data);
    again.model.close();
    const session = await openSession(out);
    expect(session.outputs.length).toBe(1);
    await session.close();
  });

  it('refuses by name what the file does not have, another shape, the input, and leaves nothing', async () => {
    const folder = temporaryFolder();
    const path = digitsWith('raw', folder);
    const { model, state } = await tunable(path, CE);
    const out = join(folder, 'tuned.onnx');
    const one: Tensor = { dtype: 'float32', dims: [1], data: Float32Array.of(1) };
    expect(() => writeTuned(model, new Map([['fc2.bia', one]]), out)).toThrow(/"fc2.bia".*near names are "fc2.bias"/);
    expect(() => writeTuned(model, new Map([['fc2.bias', one]]), out)).toThrow(
      /expected float32\[10\].*found float32\[1\]/,
    );
    expect(() => writeTuned(model, state, path, { force: true })).toThrow(/a file other than the model/);
    expect(readdirSync(folder)).toEqual(['net.onnx']);
    writeTuned(model, state, out);
    expect(readFileSync(out)).toEqual(readFileSync(path));
    expect(() => writeTuned(model, state, out)).toThrow(/output-exists|`force`/);
    model.close();
  });
});

/** Where the elements stand in the file: packed they are one piece. */
function homeOf(file: Buffer, elements: Uint8Array): { from: number; to: number } {
  const from = file.indexOf(elements);
  expect(from).toBeGreaterThan(0);
  expect(file.indexOf(elements, from + 1)).toBe(-1);
  return { from, to: from + elements.length };
}
