import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fromBytes } from '../../src/files/bytes.ts';
import { openFile } from '../../src/files/source.ts';
import {
  applyEdit,
  decodeTensor,
  editedBytes,
  encodeTensor,
  type ModelEdit,
  type ModelProto,
  scan,
} from '../../src/onnx/index.ts';
import { needsPython, needsTestdata, python, testdata } from './python.ts';

const needsNumpy = needsPython('onnx, numpy');
const models = testdata('.onnx');
const tensors = testdata('.pb');

const f32 = (...values: number[]): Float32Array => Float32Array.of(...values);

/** The same as in splice.py. */
const edit: ModelEdit = {
  nodes: [
    {
      name: 'sp_node',
      opType: 'Spliced',
      domain: 'com.example',
      inputs: ['sp_a', '', 'sp_b'],
      outputs: ['sp_y', 'sp_z'],
      attributes: new Map([
        ['a_f', { type: 'float', value: 1.5 }],
        ['b_i', { type: 'int', value: -(2n ** 63n) }],
        ['c_s', { type: 'string', value: 'naïve' }],
        ['d_t', { type: 'tensor', value: { dtype: 'int8', dims: [1, 2], data: Int8Array.of(1, -2) } }],
        [
          'e_g',
          {
            type: 'graph',
            value: {
              name: 'sp_graph',
              nodes: [{ name: 'sp_body', opType: 'Identity', inputs: ['sp_in'], outputs: ['sp_out'] }],
              inputs: [{ name: 'sp_in', dtype: 'float32', shape: ['N'] }],
              outputs: [{ name: 'sp_out', dtype: 'float32', shape: ['N'] }],
              initializers: [{ name: 'sp_const', tensor: { dtype: 'int64', dims: [1], data: BigInt64Array.of(3n) } }],
            },
          },
        ],
        ['f_fs', { type: 'floats', value: [0.5, -0] }],
        ['g_is', { type: 'ints', value: [0n, -1n, 2n ** 63n - 1n] }],
        ['h_ss', { type: 'strings', value: ['', 'é'] }],
      ]),
    },
    { name: '', opType: 'Identity', inputs: ['sp_y'], outputs: ['sp_out2'] },
  ],
  initializers: [
    { name: 'sp_w', tensor: { dtype: 'float32', dims: [2, 2], data: f32(1, 2, 3, 4) } },
    { name: 'sp_h', tensor: { dtype: 'float16', dims: [1], data: Uint16Array.of(0x3e00) } },
    { name: 'sp_scalar', tensor: { dtype: 'int64', dims: [], data: BigInt64Array.of(7n) } },
  ],
  inputs: [{ name: 'sp_in', dtype: 'int64', shape: ['N', 3] }],
  outputs: [{ name: 'sp_y', dtype: 'float32', shape: [] }],
  valueInfos: [{ name: 'sp_z', dtype: 'bool', shape: [undefined, 0] }],
  opsetImports: new Map([['com.example', 3]]),
  metadata: new Map([['lossgraft', '{}']]),
  irVersion: 9,
};

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function scanned<T>(path: string, use: (model: ModelProto) => T): T {
  const source = openFile(path);
  try {
    return use(scan(source));
  } finally {
    source.close();
  }
}

/** The graph's additions of {@link edit}, taken out again. */
function withoutAdditions(model: ModelProto): Uint8Array {
  const { nodes, initializers, inputs, outputs, valueInfos } = model.graph;
  const added = [
    ...nodes.slice(-2),
    ...initializers.slice(-3),
    ...inputs.slice(-1),
    ...outputs.slice(-1),
    ...valueInfos.slice(-1),
  ];
  return editedBytes(model, { removals: added.map(({ span }) => span) });
}

describe('every model of libonnx-testdata', needsTestdata(models), () => {
  it('has over 1,000 of them', () => {
    expect(models.length).toBeGreaterThan(1000);
  });

  it('is copied whole when nothing is edited', () => {
    for (const file of models) {
      scanned(file, (model) => {
        const { size } = model.source;
        expect(applyEdit(model, {}), file).toEqual([{ kind: 'copy', start: 0, end: size }]);
      });
    }
  });

  it("gets the bytes of Python onnx's append and SerializeToString", needsNumpy, () => {
    const expected = python('splice.py', models.join('\n')).trim().split('\n');
    expect(expected).toHaveLength(models.length);
    const differ = models.filter((file, i) => scanned(file, (m) => sha256(editedBytes(m, edit))) !== expected[i]);
    expect(differ).toEqual([]);
  });

  it('is the original again once the additions are removed', () => {
    const { opsetImports: _, metadata: __, irVersion: ___, ...graphEdit } = edit;
    for (const file of models) {
      const edited = scanned(file, (model) => editedBytes(model, graphEdit));
      const back = withoutAdditions(scan(fromBytes(edited, file)));
      expect(Buffer.from(back).equals(readFileSync(file)), file).toBe(true);
    }
  });
});

describe('every tensor of libonnx-testdata', needsTestdata(tensors), () => {
  it('has the elements that numpy sees, and is written back byte for byte', needsNumpy, () => {
    const expected = python('tensors.py', tensors.join('\n')).trim().split('\n');
    let compared = 0;
    for (const [i, file] of tensors.entries()) {
      const reference: unknown = JSON.parse(expected[i] ?? 'null');
      if (reference === null) continue;
      const bytes = readFileSync(file);
      const { name, tensor } = decodeTensor(bytes, file);
      const { data } = tensor;
      const content = ArrayBuffer.isView(data)
        ? sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
        : data;
      expect([name, tensor.dims, content], file).toEqual(reference);
      expect(Buffer.from(encodeTensor(name, tensor)).equals(bytes), file).toBe(true);
      compared++;
    }
    expect(compared).toBeGreaterThan(3000);
  });
});
