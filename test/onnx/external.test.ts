import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFile } from '../../src/files/source.ts';
import {
  copyExternalData,
  editedBytes,
  type ModelProto,
  readTensor,
  rebaseExternalData,
  scan,
} from '../../src/onnx/index.ts';
import { onnx, scanBytes, smallModel } from './models.ts';

const root = fs.mkdtempSync(join(tmpdir(), 'external-'));
const modelDir = join(root, 'a', 'model');
const VALUES = Float32Array.of(1, -2, 3, -4, 5, -6);
afterAll(() => fs.rmSync(root, { recursive: true }));

beforeAll(() => {
  fs.mkdirSync(join(modelDir, 'weights'), { recursive: true });
  const bytes = Buffer.concat([Buffer.alloc(8), Buffer.from(VALUES.buffer)]);
  fs.writeFileSync(join(modelDir, 'weights', 'w.bin'), bytes);
  fs.writeFileSync(join(root, 'secret.bin'), bytes);
  fs.symlinkSync(join(root, 'secret.bin'), join(modelDir, 'link.bin'));
  fs.symlinkSync(root, join(modelDir, 'up'));
  fs.symlinkSync(join(modelDir, 'weights', 'w.bin'), join(modelDir, 'inside.bin'));
});

function external(entries: Record<string, string>, dims: number[] = [2, 3]): ModelProto {
  const tensor = {
    name: 'w',
    dataType: 1,
    dims,
    dataLocation: 1,
    externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  };
  // The same tensor once more where only a walk by the schema finds it: a sparse attribute in a function's node.
  const node = {
    opType: 'X',
    input: ['a'],
    output: ['b'],
    attribute: [{ name: 's', type: 11, sparseTensor: { values: tensor } }],
  };
  const graph = {
    ...onnx.ModelProto.decode(smallModel()).graph,
    initializer: [tensor, { name: 'b', dataType: 1, dims: [1], floatData: [1] }],
  };
  return scanBytes(smallModel({ graph, functions: [{ name: 'f', domain: 'd', node: [node] }] }));
}

function read(model: ModelProto, options: { modelDir?: string } = { modelDir }): unknown {
  const [tensor] = model.graph.initializers;
  return tensor && readTensor(model.source, tensor, options).data;
}

const code = (name: string) => expect.objectContaining({ code: name });

describe('external data', () => {
  it('are read by offset and length, or to what the shape needs', () => {
    expect(read(external({ location: 'weights/w.bin', offset: '8', length: '24' }))).toEqual(VALUES);
    expect(read(external({ location: './weights/w.bin', offset: '8' }))).toEqual(VALUES);
    expect(read(external({ location: 'inside.bin', offset: '8' }))).toEqual(VALUES);
    expect(read(external({ location: 'weights/w.bin' }, [1]))).toEqual(Float32Array.of(0));
  });

  it.each([
    ['/etc/hostname', 'external-escape'],
    ['../../secret.bin', 'external-escape'],
    ['weights/../weights/w.bin', 'external-escape'],
    ['..\\..\\secret.bin', 'external-escape'],
    ['C:\\secret.bin', 'external-escape'],
    ['link.bin', 'external-escape'],
    ['up/secret.bin', 'external-escape'],
    ['none.bin', 'external-missing'],
    ['', 'external-entry'],
    ['weights', 'not-a-file'],
  ])('at %s are refused by name: %s', (location, name) => {
    expect(() => read(external({ location, offset: '8' }))).toThrow(code(name));
    expect(() => read(external({ location, offset: '8' }))).toThrow(/tensor "w"|weights/);
  });

  it('of another size are refused, before anything is allocated', () => {
    const location = 'weights/w.bin';
    expect(() => read(external({ location, offset: '8', length: '20' }))).toThrow(code('tensor-size'));
    expect(() => read(external({ location, offset: '12', length: '24' }))).toThrow(code('tensor-size'));
    expect(() => read(external({ location }, [1e9, 1e6]))).toThrow(code('tensor-size'));
    for (const offset of ['-8', '8.5', 'eight', '99999999999999999999']) {
      expect(() => read(external({ location, offset }))).toThrow(code('external-entry'));
    }
  });

  it('need a folder', () => {
    expect(() => read(external({ location: 'w' }), {})).toThrow(code('external-no-folder'));
  });
});

describe('a model that moves', () => {
  const entries = { location: 'weights/w.bin', offset: '8', length: '24', checksum: 'kept' };

  it('to a folder above has its locations re-based, everywhere in the file, and nothing else', () => {
    const model = external(entries);
    const replacements = rebaseExternalData(model, { fromDir: modelDir, toDir: root });
    expect(replacements).toHaveLength(2);
    const moved = scanBytes(editedBytes(model, { replacements }));
    expect(read(moved, { modelDir: root })).toEqual(VALUES);
    const restored = onnx.ModelProto.decode(Buffer.from(editedBytes(moved, {})));
    expect(restored.graph?.initializer?.[0]?.externalData?.map(({ key, value }) => [key, value])).toEqual(
      Object.entries({ ...entries, location: 'a/model/weights/w.bin' }),
    );
    const text = Buffer.from(editedBytes(moved, {})).toString('latin1');
    expect(text.split('a/model/weights/w.bin')).toHaveLength(3);
  });

  it('within its folder stays as it is', () => {
    expect(rebaseExternalData(external(entries), { fromDir: modelDir, toDir: modelDir })).toEqual([]);
  });

  it('to where ONNX Runtime would refuse the path is refused', () => {
    const toDir = join(root, 'elsewhere');
    fs.mkdirSync(toDir);
    expect(() => rebaseExternalData(external(entries), { fromDir: modelDir, toDir })).toThrow(
      code('external-unreachable'),
    );
  });

  it('does not mind data that the edit removes', () => {
    const path = join(root, 'plain.onnx');
    const { graph } = onnx.ModelProto.decode(smallModel());
    const tensor = {
      name: 'w',
      dataType: 1,
      dims: [1],
      dataLocation: 1,
      externalData: [{ key: 'location', value: 'none' }],
    };
    fs.writeFileSync(path, smallModel({ graph: { ...graph, initializer: [tensor] } }));
    const source = openFile(path);
    const model = scan(source);
    const removals = model.graph.initializers.map(({ span }) => span);
    expect(rebaseExternalData(model, { fromDir: root, toDir: modelDir }, { removals })).toEqual([]);
    expect(() => rebaseExternalData(model, { fromDir: root, toDir: modelDir })).toThrow(code('external-missing'));
    source.close();
  });

  it('can have its data copied along, without overwriting another file', () => {
    const toDir = join(root, 'copy');
    fs.mkdirSync(toDir);
    const model = external(entries);
    expect(copyExternalData(model, { fromDir: modelDir, toDir })).toEqual([join(toDir, 'weights', 'w.bin')]);
    expect(read(model, { modelDir: toDir })).toEqual(VALUES);
    expect(copyExternalData(model, { fromDir: modelDir, toDir: modelDir })).toEqual([]);
    fs.writeFileSync(join(toDir, 'weights', 'w.bin'), 'other');
    expect(() => copyExternalData(model, { fromDir: modelDir, toDir })).toThrow(code('external-exists'));
    expect(fs.readFileSync(join(toDir, 'weights', 'w.bin'), 'utf8')).toBe('other');
    copyExternalData(model, { fromDir: modelDir, toDir, overwrite: true });
    expect(read(model, { modelDir: toDir })).toEqual(VALUES);
    expect(fs.readdirSync(join(toDir, 'weights'))).toEqual(['w.bin']);
  });
});
