import { describe, expect, it } from 'vitest';
import { editedBytes, type ModelEdit, readTensor } from '../../src/onnx/index.ts';
import { onnx, scanBytes, smallModel } from './models.ts';

describe('what onnx-proto writes', () => {
  it('is read: packed lists, typed data, shapes', () => {
    const model = scanBytes(smallModel());
    const { nodes, initializers, inputs, outputs, valueInfos } = model.graph;
    expect(model.irVersion).toBe(8);
    expect(model.opsetImports).toEqual(new Map([['', 17]]));
    expect(model.metadata).toEqual(new Map([['k', 'v']]));
    expect(nodes.map((n) => `${n.outputs} = ${n.opType}(${n.inputs})`)).toEqual([
      'xw = MatMul(x,w)',
      'z = Add(xw,b)',
      'y = Relu(z)',
      't = Transpose(y)',
    ]);
    expect(nodes[3]?.attributes.get('perm')).toEqual({ type: 'ints', value: [1n, 0n] });
    expect(inputs[0]?.type).toEqual({ dtype: 'float32', shape: ['N', 2] });
    expect(outputs.map(({ name }) => name)).toEqual(['y', 't']);
    expect(valueInfos[0]?.kind).toBe('tensor');
    const data = initializers.map((tensor) => readTensor(model.source, tensor).data);
    expect(data).toEqual([Float32Array.of(1, -2, 3, -4, 5, -6), Float32Array.of(0.5, 1, 2)]);
  });

  it('is read: every kind of attribute, with and without its type', () => {
    const tensor = { dataType: 7, dims: [1], int64Data: [5] };
    const graph = { name: 'inner', node: [{ opType: 'Relu', input: ['a'], output: ['b'] }] };
    const attribute = [
      { name: 'f', type: 1, f: 0.5 },
      { name: 'i', type: 2, i: -3 },
      { name: 's', type: 3, s: Buffer.from('é') },
      { name: 't', type: 4, t: tensor },
      { name: 'g', type: 5, g: graph },
      { name: 'floats', type: 6, floats: [1, 2] },
      { name: 'ints', type: 7, ints: [-1, 2] },
      { name: 'strings', type: 8, strings: [Buffer.from('a')] },
      { name: 'tensors', type: 9, tensors: [tensor] },
      { name: 'graphs', type: 10, graphs: [graph] },
      { name: 'tp', type: 13, tp: { denotation: 'x' } },
      { name: 'untyped', ints: [7] },
      { name: 'ref', type: 1, refAttrName: 'outer' },
      { name: 'bytes', type: 3, s: Uint8Array.of(0xff, 0) },
    ];
    const model = scanBytes(smallModel({ graph: { name: 'g', node: [{ opType: 'X', attribute }] } }));
    const found = model.graph.nodes[0]?.attributes;
    const types = Object.fromEntries([...(found ?? [])].map(([name, { type }]) => [name, type]));
    expect(types).toEqual({
      f: 'float',
      i: 'int',
      s: 'string',
      t: 'tensor',
      g: 'graph',
      floats: 'floats',
      ints: 'ints',
      strings: 'strings',
      tensors: 'tensors',
      graphs: 'graphs',
      tp: 'other',
      untyped: 'ints',
      ref: 'reference',
      bytes: 'other',
    });
    expect(['f', 'i', 's', 'floats', 'ints', 'strings', 'ref'].map((name) => found?.get(name)?.value)).toEqual([
      0.5,
      -3n,
      'é',
      [1, 2],
      [-1n, 2n],
      ['a'],
      'outer',
    ]);
    const t = found?.get('t');
    expect(t?.type === 'tensor' && readTensor(model.source, t.value).data).toEqual(BigInt64Array.of(5n));
    const g = found?.get('g');
    expect(g?.type === 'graph' && g.value.nodes.map(({ opType }) => opType)).toEqual(['Relu']);
  });

  it('is read: typed data of every data type', () => {
    const cases = [
      [{ dataType: 1, dims: [2], floatData: [1, -0.5] }, Float32Array.of(1, -0.5)],
      [{ dataType: 2, dims: [2], int32Data: [1, 255] }, Uint8Array.of(1, 255)],
      [{ dataType: 3, dims: [2], int32Data: [1, -128] }, Int8Array.of(1, -128)],
      [{ dataType: 4, dims: [1], int32Data: [65535] }, Uint16Array.of(65535)],
      [{ dataType: 5, dims: [1], int32Data: [-32768] }, Int16Array.of(-32768)],
      [{ dataType: 6, dims: [1], int32Data: [-(2 ** 31)] }, Int32Array.of(-(2 ** 31))],
      [{ dataType: 7, dims: [2], int64Data: [-1, 2 ** 53] }, BigInt64Array.of(-1n, 2n ** 53n)],
      [{ dataType: 8, dims: [2], stringData: [Buffer.from('é'), Buffer.from('')] }, ['é', '']],
      [{ dataType: 9, dims: [2], int32Data: [1, 0] }, Uint8Array.of(1, 0)],
      [{ dataType: 10, dims: [1], int32Data: [0x3e00] }, Uint16Array.of(0x3e00)],
      [{ dataType: 11, dims: [1], doubleData: [0.1] }, Float64Array.of(0.1)],
      [{ dataType: 12, dims: [1], uint64Data: [2 ** 32 - 1] }, Uint32Array.of(2 ** 32 - 1)],
      [{ dataType: 13, dims: [1], uint64Data: [2 ** 53] }, BigUint64Array.of(2n ** 53n)],
      [{ dataType: 14, dims: [1], floatData: [1, 2] }, Float32Array.of(1, 2)],
      [{ dataType: 15, dims: [1], doubleData: [1, 2] }, Float64Array.of(1, 2)],
      [{ dataType: 16, dims: [1], int32Data: [0x3fc0] }, Uint16Array.of(0x3fc0)],
      [{ dataType: 17, dims: [1], int32Data: [0x38] }, Uint8Array.of(0x38)],
      [{ dataType: 21, dims: [3], int32Data: [0x21, 0x03] }, Uint8Array.of(0x21, 0x03)],
      [{ dataType: 25, dims: [5], int32Data: [0xe4, 0x01] }, Uint8Array.of(0xe4, 0x01)],
      [{ dataType: 1, dims: [0], floatData: [] }, new Float32Array(0)],
    ] as const;
    for (const [init, expected] of cases) {
      const tensor = onnx.TensorProto.create(JSON.parse(JSON.stringify({ ...init, stringData: [] })));
      if ('stringData' in init) tensor.stringData = [...init.stringData];
      const model = scanBytes(smallModel({ graph: { name: 'g', initializer: [tensor] } }));
      const [view] = model.graph.initializers;
      expect(view && readTensor(model.source, view).data, `type ${init.dataType}`).toEqual(expected);
    }
  });
});

describe('what is spliced', () => {
  const edit: ModelEdit = {
    nodes: [
      {
        name: 'scale',
        opType: 'Mul',
        inputs: ['y', 'two'],
        outputs: ['y2'],
        attributes: new Map([
          ['big', { type: 'int', value: 2n ** 62n + 1n }],
          ['none', { type: 'ints', value: [] }],
        ]),
      },
    ],
    initializers: [{ name: 'two', tensor: { dtype: 'float32', dims: [1], data: Float32Array.of(2) } }],
    outputs: [{ name: 'y2', dtype: 'float32', shape: ['N', 3] }],
    opsetImports: new Map([['ai.onnx', 18]]),
    metadata: new Map([
      ['k', 'new'],
      ['extra', '1'],
    ]),
  };

  it('is read by onnx-proto', () => {
    const decoded = onnx.ModelProto.decode(editedBytes(scanBytes(smallModel()), edit));
    const [, , , , node] = decoded.graph?.node ?? [];
    expect(node?.opType).toBe('Mul');
    expect(node?.input).toEqual(['y', 'two']);
    expect(String(node?.attribute?.[0]?.i)).toBe(String(2n ** 62n + 1n));
    expect(decoded.graph?.initializer?.map(({ name }) => name)).toEqual(['w', 'b', 'two']);
    expect(decoded.graph?.output?.map(({ name }) => name)).toEqual(['y', 't', 'y2']);
    expect(decoded.opsetImport?.map(({ domain, version }) => [domain, Number(version)])).toEqual([['', 18]]);
    expect(decoded.metadataProps?.map(({ key, value }) => [key, value])).toEqual([
      ['k', 'new'],
      ['extra', '1'],
    ]);
  });

  it('leaves what onnx-proto reads of the rest as it was', () => {
    const before = onnx.ModelProto.decode(smallModel());
    const after = onnx.ModelProto.decode(Buffer.from(editedBytes(scanBytes(smallModel()), edit)));
    after.graph?.node?.pop();
    after.graph?.initializer?.pop();
    after.graph?.output?.pop();
    expect(after.graph).toEqual(before.graph);
  });
});
