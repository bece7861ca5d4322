import onnxProto from 'onnx-proto';
import { fromBytes } from '../../src/files/bytes.ts';
import { type ModelProto, scan } from '../../src/onnx/index.ts';

const onnx: typeof onnxProto.onnx = onnxProto.onnx;

/** y = Relu(x·w + b), two outputs, encoded by onnx-proto: an outside encoder that packs its lists. */
export function smallModel(more: Parameters<typeof onnx.ModelProto.create>[0] = {}): Uint8Array {
  const value = (name: string, dims: readonly (string | number)[]) => ({
    name,
    type: {
      tensorType: {
        elemType: 1,
        shape: { dim: dims.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d })) },
      },
    },
  });
  const model = onnx.ModelProto.create({
    irVersion: 8,
    producerName: 'test',
    opsetImport: [{ domain: '', version: 17 }],
    metadataProps: [{ key: 'k', value: 'v' }],
    graph: {
      name: 'g',
      node: [
        { name: 'mm', opType: 'MatMul', input: ['x', 'w'], output: ['xw'] },
        { name: 'add', opType: 'Add', input: ['xw', 'b'], output: ['z'] },
        { name: 'relu', opType: 'Relu', input: ['z'], output: ['y'] },
        {
          name: 'tr',
          opType: 'Transpose',
          input: ['y'],
          output: ['t'],
          attribute: [{ name: 'perm', type: 7, ints: [1, 0] }],
        },
      ],
      initializer: [
        { name: 'w', dataType: 1, dims: [2, 3], floatData: [1, -2, 3, -4, 5, -6] },
        { name: 'b', dataType: 1, dims: [3], rawData: new Uint8Array(Float32Array.of(0.5, 1, 2).buffer) },
      ],
      input: [value('x', ['N', 2])],
      output: [value('y', ['N', 3]), value('t', [3, 'N'])],
      valueInfo: [value('z', ['N', 3])],
    },
    ...more,
  });
  return onnx.ModelProto.encode(model).finish();
}

export function scanBytes(bytes: Uint8Array, name = 'test.onnx'): ModelProto {
  return scan(fromBytes(bytes, name));
}

export { onnx };
