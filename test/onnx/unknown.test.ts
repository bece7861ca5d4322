import { describe, expect, it } from 'vitest';
import { editedBytes, encodeNodeFields, relabelDim, rewireNode } from '../../src/onnx/index.ts';
import { type ByteParts, concat, intField, lenField, stringField, varint } from '../../src/onnx/wire.ts';
import { scanBytes } from './models.ts';

/** Fields of numbers that no ONNX has, of every wire type; a group holds another group and a field of the host's number. */
function unknown(salt: number): ByteParts {
  const number = 5000 + salt * 10;
  const tag = (n: number, wire: number) => varint(n * 8 + wire);
  return [
    intField(number, 1),
    concat([tag(number + 1, 5), Uint8Array.of(1, 2, 3, 4)]),
    concat([tag(number + 2, 1), Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)]),
    stringField(number + 3, 'unknown'),
    concat([tag(number + 4, 3), tag(1, 3), intField(7, 5), tag(1, 4), stringField(7, 'x'), tag(number + 4, 4)]),
  ];
}

/** Unknown fields before, between and after the known ones, at every level; lengths padded to two bytes where asked for. */
function modelWithUnknowns(): Uint8Array {
  const dim = lenField(1, [...unknown(1), stringField(2, 'N'), stringField(3, 'DATA_BATCH'), ...unknown(2)]);
  const shape = lenField(2, [...unknown(3), ...dim, ...lenField(1, [intField(1, 2)]), ...unknown(4)]);
  const tensorType = lenField(1, [...unknown(5), intField(1, 1), ...shape]);
  const value = (number: number, name: string) =>
    lenField(number, [
      stringField(1, name),
      ...unknown(6),
      ...lenField(2, [...unknown(7), ...tensorType]),
      ...unknown(8),
    ]);
  const tensor = (number: number, name: string) =>
    lenField(number, [
      intField(1, 1),
      ...unknown(9),
      intField(2, 1),
      stringField(8, name),
      ...lenField(9, [new Uint8Array(4)]),
      ...unknown(10),
    ]);
  const attribute = lenField(5, [stringField(1, 'value'), ...unknown(11), ...tensor(5, ''), intField(20, 4)]);
  const node = lenField(1, [
    ...unknown(12),
    stringField(2, 'c'),
    ...unknown(13),
    stringField(4, 'Constant'),
    ...attribute,
  ]);
  const add = lenField(1, [
    stringField(1, 'x'),
    ...unknown(14),
    stringField(1, 'c'),
    stringField(2, 'y'),
    stringField(4, 'Add'),
  ]);
  const graph = [
    ...unknown(15),
    ...node,
    ...unknown(16),
    ...add,
    ...tensor(5, 'w'),
    ...value(11, 'x'),
    ...unknown(17),
    ...value(12, 'y'),
    ...unknown(18),
  ];
  const padded = concat(graph);
  // The length in three bytes although two suffice, as writers do that reserve its place.
  const length = Uint8Array.of((padded.length & 127) | 128, ((padded.length >> 7) & 127) | 128, padded.length >> 14);
  const opset = lenField(8, [...unknown(19), intField(2, 17)]);
  const entry = lenField(14, [stringField(1, 'k'), ...unknown(20), stringField(2, 'v')]);
  return concat([
    ...unknown(21),
    intField(1, 8),
    ...unknown(22),
    varint(58),
    length,
    padded,
    ...opset,
    ...entry,
    ...unknown(23),
  ]);
}

const bytes = modelWithUnknowns();
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');

/** `after` is `before` with each [old, new] replaced once. */
function expectOnly(after: Uint8Array, pieces: readonly (readonly [Uint8Array, Uint8Array])[]): void {
  let text = hex(after);
  for (const [old, fresh] of pieces) {
    expect(text.split(hex(fresh))).toHaveLength(2);
    text = text.replace(hex(fresh), hex(old));
  }
  // Lengths on the way up have changed too: compare the unknown fields one by one, in order.
  const positions = (data: string): string[] =>
    Array.from({ length: 23 }, (_, i) =>
      unknown(i + 1)
        .map((field) => String(data.split(hex(field)).length - 1))
        .join(),
    );
  expect(positions(hex(after))).toEqual(positions(hex(bytes)));
}

describe('unknown fields', () => {
  it('are there in the original', () => {
    for (let salt = 1; salt <= 23; salt++) for (const field of unknown(salt)) expect(hex(bytes)).toContain(hex(field));
  });

  it('stay in place at every level when the graph is spliced, and the original comes back byte for byte', () => {
    const edited = editedBytes(scanBytes(bytes), {
      nodes: [{ name: 'n', opType: 'Relu', inputs: ['y'], outputs: ['r'] }],
      initializers: [{ name: 'i', tensor: { dtype: 'uint8', dims: [300], data: new Uint8Array(300) } }],
      outputs: [{ name: 'r', dtype: 'float32', shape: [] }],
    });
    expectOnly(edited, []);
    const { nodes, initializers, outputs } = scanBytes(edited).graph;
    const removals = [nodes[2], initializers[1], outputs[1]].flatMap((field) => (field ? [field.span] : []));
    const back = editedBytes(scanBytes(edited), { removals });
    // All but the graph's length, which is written in as few bytes as it needs once it changes.
    const start = hex(bytes).indexOf(hex(concat(unknown(15))));
    expect(hex(back)).toContain(hex(bytes).slice(start));
    expect(hex(bytes).startsWith(hex(back).slice(0, start - 6))).toBe(true);
  });

  it('keep even a length that is longer than it need be when nothing inside changes size', () => {
    const model = scanBytes(bytes);
    expect(hex(editedBytes(model, {}))).toBe(hex(bytes));
    const [x] = model.graph.inputs;
    if (x === undefined) throw new Error('no input');
    const edited = editedBytes(model, { replacements: [relabelDim(model.source, x, 0, 'M')] });
    expect(hex(edited)).toBe(hex(bytes).replace('12014e', '12014d'));
  });

  it('stay when a node is rewired', () => {
    const model = scanBytes(bytes);
    const add = model.graph.nodes[1];
    if (add === undefined) throw new Error('no node');
    const renamed = rewireNode(model.source, add, { inputs: ['a longer name', 'c'], outputs: ['y'] });
    expect(hex(renamed)).toContain(hex(concat([stringField(1, 'a longer name'), ...unknown(14), stringField(1, 'c')])));
    expectOnly(editedBytes(model, { replacements: [{ span: add.span, bytes: renamed }] }), []);
    expect(hex(rewireNode(model.source, add, {}))).toBe(hex(bytes.subarray(add.span.start, add.span.end)));
  });

  it('stay when a dimension is relabelled, its denotation too', () => {
    const model = scanBytes(bytes);
    const [x] = model.graph.inputs;
    if (x === undefined) throw new Error('no input');
    const { bytes: dim } = relabelDim(model.source, x, 1, 'batch');
    expect(hex(dim)).toBe(hex(concat(lenField(1, [stringField(2, 'batch')]))));
    const { bytes: first } = relabelDim(model.source, x, 0, 'batch');
    const expected = [...unknown(1), stringField(2, 'batch'), stringField(3, 'DATA_BATCH'), ...unknown(2)];
    expect(hex(first)).toBe(hex(concat(lenField(1, expected))));
  });

  it('stay in opset imports and metadata whose value is set', () => {
    const edited = editedBytes(scanBytes(bytes), {
      opsetImports: new Map([['', 18]]),
      metadata: new Map([['k', 'w']]),
    });
    const opset = lenField(8, [...unknown(19), intField(2, 18)]);
    const entry = lenField(14, [stringField(1, 'k'), ...unknown(20), stringField(2, 'w')]);
    expect(hex(edited)).toContain(hex(concat([...opset, ...entry, ...unknown(23)])));
  });

  it('surround a node that becomes several', () => {
    const model = scanBytes(bytes);
    const [constant] = model.graph.nodes;
    if (constant === undefined) throw new Error('no node');
    const two = encodeNodeFields([
      { name: 'a', opType: 'Relu', inputs: ['x'], outputs: ['a'] },
      { name: 'b', opType: 'Relu', inputs: ['a'], outputs: ['c'] },
    ]);
    const edited = editedBytes(model, { replacements: [{ span: constant.span, bytes: two }] });
    expect(hex(edited)).toContain(hex(concat([...unknown(15), two, ...unknown(16)])));
    expect(scanBytes(edited).graph.nodes.map(({ name }) => name)).toEqual(['a', 'b', '']);
  });
});
