import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { LossgraftError } from '../../src/errors.ts';
import { fromBytes } from '../../src/files/bytes.ts';
import { openFile } from '../../src/files/source.ts';
import { checkEdit, decodeTensor, editedBytes, readTensor, scan } from '../../src/onnx/index.ts';
import { type ByteParts, concat, intField, lenField, stringField, varint } from '../../src/onnx/wire.ts';
import { onnx, scanBytes, smallModel } from './models.ts';

const folder = mkdtempSync(join(tmpdir(), 'hostile-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Everything that the room can do with a model: only a LossgraftError may come of it. */
function useAll(bytes: Uint8Array): 'ok' | string {
  try {
    const model = scanBytes(bytes);
    for (const tensor of model.graph.initializers) readTensor(model.source, tensor);
    const removals = [...model.graph.nodes, ...model.graph.outputs].map(({ span }) => span);
    editedBytes(model, { removals, irVersion: 9, metadata: new Map([['k', 'w']]), opsetImports: new Map([['', 20]]) });
    checkEdit(model, { removals });
    return 'ok';
  } catch (error) {
    if (!(error instanceof LossgraftError)) throw error;
    return error.code;
  }
}

function isWhole(bytes: Uint8Array): boolean {
  try {
    return onnx.ModelProto.decode(bytes).graph != null;
  } catch {
    return false;
  }
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof LossgraftError) return error.code;
    throw error;
  }
  return 'none';
}

/** A small fast generator (mulberry32), so that a failure can be repeated. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A model with subgraphs, strings, typed and raw tensors, functions. */
const rich = smallModel({
  functions: [
    { name: 'f', domain: 'd', input: ['a'], output: ['b'], node: [{ opType: 'Relu', input: ['a'], output: ['b'] }] },
  ],
});

describe('damaged bytes', () => {
  it('truncated at 200 places give a LossgraftError each', () => {
    const random = generator(1);
    for (let i = 0; i < 200; i++) {
      const length = Math.floor(random() * rich.length);
      const code = useAll(rich.subarray(0, length));
      // A cut between two fields behind the graph leaves a smaller model, which is whole to other decoders, too.
      expect(code === 'ok', `cut at ${length}: ${code}`).toBe(isWhole(rich.subarray(0, length)));
    }
  });

  it('with 2,000 flipped bits give a result or a LossgraftError, in bounded time and memory', () => {
    const random = generator(2);
    const outcomes = new Map<string, number>();
    const memory = process.memoryUsage().rss;
    for (let i = 0; i < 2000; i++) {
      const bytes = Uint8Array.from(rich);
      const at = Math.floor(random() * bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      const begin = process.cpuUsage();
      const code = useAll(bytes);
      expect(process.cpuUsage(begin).user / 1e6, `bit flipped in byte ${at}`).toBeLessThan(2);
      outcomes.set(code, (outcomes.get(code) ?? 0) + 1);
    }
    expect(process.memoryUsage().rss - memory).toBeLessThan(300 * 2 ** 20);
    expect(outcomes.get('ok')).toBeGreaterThan(100);
    expect(outcomes.size).toBeGreaterThan(6);
  });

  it('of no meaning at all give a LossgraftError', () => {
    const random = generator(3);
    for (let i = 0; i < 500; i++) {
      const bytes = Uint8Array.from({ length: Math.floor(random() * 200) }, () => random() * 256);
      expect(useAll(bytes)).not.toBe('ok');
      expect(useAll(concat([intField(1, 8), ...lenField(7, [bytes])]))).toBeTypeOf('string');
      codeOf(() => decodeTensor(bytes));
    }
  });
});

/** Wraps `times` graphs within each other: graph → node → attribute → graph. */
function nested(times: number): ByteParts {
  let parts: ByteParts = [stringField(2, 'innermost')];
  for (let i = 0; i < times; i++) {
    const attribute = lenField(5, [stringField(1, 'body'), concat(lenField(6, parts)), intField(20, 5)]);
    parts = [concat(lenField(1, [stringField(4, 'If'), ...attribute]))];
  }
  return parts;
}

function model(...graph: Uint8Array[]): Uint8Array {
  return concat([intField(1, 8), ...lenField(7, graph), ...lenField(8, [intField(2, 17)])]);
}

describe('hostile structures', () => {
  it('nested 10,000 deep are refused, without a stack overflow', () => {
    expect(codeOf(() => scanBytes(model(...nested(10_000))))).toBe('too-deep');
    expect(scanBytes(model(...nested(32))).graph.nodes).toHaveLength(1);
    expect(codeOf(() => scanBytes(model(...nested(33))))).toBe('too-deep');
  });

  it('groups nested 10,000 deep are refused, and shallow ones are skipped', () => {
    const groups = (n: number) => concat([...Array(n).fill(varint(99 * 8 + 3)), ...Array(n).fill(varint(99 * 8 + 4))]);
    expect(codeOf(() => scanBytes(model(groups(10_000))))).toBe('too-deep');
    expect(scanBytes(model(groups(50), stringField(2, 'g'))).graph.name).toBe('g');
  });

  it.each([
    ['a group that never ends', [varint(99 * 8 + 3), intField(1, 1)], 'malformed'],
    ['a group that another one ends', [varint(99 * 8 + 3), varint(98 * 8 + 4)], 'malformed'],
    ['an end without a group', [varint(99 * 8 + 4)], 'malformed'],
    ['a varint of 11 bytes', [varint(99 * 8), Uint8Array.from([...Array(10).fill(0x80), 1])], 'malformed'],
    ['field number 0', [Uint8Array.of(0, 0)], 'malformed'],
    ['wire type 6', [Uint8Array.of(0x0e)], 'malformed'],
    [
      'a length of 2^60',
      [varint(99 * 8 + 2), Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)],
      'truncated-file',
    ],
    ['a payload that leaves its message', [varint(99 * 8 + 2), varint(3), Uint8Array.of(1)], 'malformed'],
    ['a node that is a number', [intField(1, 5)], 'wire-type'],
    ['a name that is no UTF-8', [...lenField(2, [Uint8Array.of(0xff)])], 'invalid-utf8'],
    ['raw data that is a number', [...lenField(5, [intField(9, 1)])], 'wire-type'],
    [
      'a negative dimension',
      [...lenField(5, [concat([varint(8), Uint8Array.from([...Array(9).fill(0xff), 1])])])],
      'bad-dimension',
    ],
    ['a segment', [...lenField(5, [concat(lenField(3, []))])], 'unsupported-segment'],
    [
      'a value info with two types',
      [...lenField(11, [concat(lenField(2, [])), concat(lenField(2, []))])],
      'duplicate-field',
    ],
    [
      'a tensor attribute without a tensor',
      [...lenField(1, lenField(5, [stringField(1, 'a'), intField(20, 4)]))],
      'attribute-without-value',
    ],
  ])('%s: refused by name, with file and byte', (_, graph, code) => {
    expect(codeOf(() => scanBytes(model(...graph)))).toBe(code);
    expect(() => scanBytes(model(...graph))).toThrow(/^\[test\.onnx, byte \d+\] expected /);
  });

  it.each(['\ufefffirst', 'no \ufffd damage', 'größe/層', 'x'.repeat(70_000)])(
    'the name %j is read as it is',
    (name) => {
      expect(scanBytes(model(stringField(2, name))).graph.name).toBe(name);
    },
  );

  it('a second graph is refused, and a missing one', () => {
    const one = concat(lenField(7, [stringField(2, 'g')]));
    expect(codeOf(() => scanBytes(concat([intField(1, 8), one, one])))).toBe('duplicate-graph');
    expect(codeOf(() => scanBytes(intField(1, 8)))).toBe('missing-graph');
  });

  it('a tensor that claims 10^15 elements is refused before anything is allocated', () => {
    for (const data of [{ rawData: new Uint8Array(4) }, { floatData: [1] }, { int32Data: [1] }, {}]) {
      const tensor = { name: 't', dataType: 1, dims: [1e9, 1e6], ...data };
      const { graph, source } = scanBytes(smallModel({ graph: { name: 'g', initializer: [tensor] } }));
      const code = codeOf(() => graph.initializers.map((view) => readTensor(source, view)));
      expect(['tensor-size', 'payload-type']).toContain(code);
    }
  });

  it('data in the field of another type are refused, and unknown types', () => {
    const read = (tensor: object) => {
      const { graph, source } = scanBytes(smallModel({ graph: { name: 'g', initializer: [tensor] } }));
      return codeOf(() => graph.initializers.map((view) => readTensor(source, view)));
    };
    expect(read({ dataType: 7, dims: [1], floatData: [1] })).toBe('payload-type');
    expect(read({ dataType: 8, dims: [1], rawData: new Uint8Array(1) })).toBe('payload-type');
    expect(read({ dataType: 99, dims: [1], rawData: new Uint8Array(1) })).toBe('unknown-dtype');
    expect(read({ dataType: 1, dims: [2], rawData: new Uint8Array(4) })).toBe('tensor-size');
    expect(read({ dataType: 8, dims: [2], stringData: [Buffer.from('a')] })).toBe('tensor-size');
  });

  it('a long string attribute is left in the file', () => {
    const attribute = [{ name: 'blob', type: 3, s: Buffer.alloc(2 ** 20 + 1, 97) }];
    const { graph } = scanBytes(smallModel({ graph: { name: 'g', node: [{ opType: 'EPContext', attribute }] } }));
    expect(graph.nodes[0]?.attributes.get('blob')).toEqual({ type: 'other', value: 3 });
  });
});

describe('files that are no models', () => {
  it.each([
    ['empty', '', 'an empty file'],
    ['text', 'ir_version: 8 graph { }', 'text: "ir_version: 8 graph { }"'],
    ['pointer', 'version https://git-lfs.github.com/spec/v1\noid', 'a Git LFS pointer'],
    ['page', '<!DOCTYPE html><html>', 'a web page or XML'],
    ['archive', 'PK\u0003\u0004rest', 'a zip archive'],
    ['picture', '\u0089PNG\r\n', 'bytes c289504e470d0a'],
  ])('%s: said what it is', (name, content, found) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    const source = openFile(path);
    expect(codeOf(() => scan(source))).toBe('not-onnx');
    expect(() => scan(source)).toThrow(found);
    source.close();
  });

  it('a tensor file is none', () => {
    const tensor = onnx.TensorProto.encode(
      onnx.TensorProto.create({ dims: [2], dataType: 1, rawData: new Uint8Array(8) }),
    );
    expect(codeOf(() => scanBytes(tensor.finish()))).not.toBe('none');
  });

  it('folders, devices and missing files are refused', () => {
    expect(codeOf(() => openFile(folder))).toBe('not-a-file');
    expect(codeOf(() => openFile('/dev/null'))).toBe('not-a-file');
    expect(codeOf(() => openFile(join(folder, 'none')))).toBe('open-failed');
  });

  it('a file that gets shorter while it is open is noticed', () => {
    const path = join(folder, 'shrinks.onnx');
    writeFileSync(path, concat([smallModel(), ...lenField(6, [new Uint8Array(200_000)])]));
    const source = openFile(path);
    truncateSync(path, 1000);
    expect(codeOf(() => source.read(150_000, 10))).toBe('truncated-file');
    expect(codeOf(() => fromBytes(new Uint8Array(3), 'b').read(1, 3))).toBe('truncated-file');
    source.close();
  });
});
