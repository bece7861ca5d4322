import { onnx } from 'onnx-proto';

const { FLOAT } = onnx.TensorProto.DataType;

type Dim = number | string | null;

/** One line of a graph: operator, inputs, outputs, integer attributes. */
type Line = readonly [
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  ints?: Record<string, number | number[]>,
];

interface Input {
  readonly type?: number;
  readonly dims: readonly Dim[] | null;
}

/** Writes a small model with onnx-proto, ONNX's own schema: nothing of ours takes part. Outputs carry no type. */
export function model(
  lines: readonly Line[],
  inputs: Readonly<Record<string, Input>>,
  outputs: readonly string[],
  opset = 17,
): Uint8Array {
  return onnx.ModelProto.encode({
    irVersion: 8,
    opsetImport: [{ domain: '', version: opset }],
    graph: {
      name: 'test',
      node: lines.map(([opType, input, output, ints = {}]) => ({
        name: `${opType.toLowerCase()}_node`,
        opType,
        input: [...input],
        output: [...output],
        attribute: Object.entries(ints).map(attribute),
      })),
      input: Object.entries(inputs).map(([name, { type = FLOAT, dims }]) => ({
        name,
        type: { tensorType: { elemType: type, ...(dims === null ? {} : { shape: { dim: dims.map(dimension) } }) } },
      })),
      output: outputs.map((name) => ({ name })),
    },
  }).finish();
}

function attribute([name, value]: [string, number | number[]]): onnx.IAttributeProto {
  const { INT, INTS } = onnx.AttributeProto.AttributeType;
  return Array.isArray(value) ? { name, type: INTS, ints: value } : { name, type: INT, i: value };
}

function dimension(dim: Dim): onnx.TensorShapeProto.IDimension {
  if (dim === null) return {};
  return typeof dim === 'string' ? { dimParam: dim } : { dimValue: dim };
}

/** ONNX's numbers of the element types by their names in ONNX. */
export const TYPES: Readonly<Record<string, number>> = Object.fromEntries(
  Object.entries(onnx.TensorProto.DataType).flatMap(([name, value]) =>
    typeof value === 'number' ? [[name, value]] : [],
  ),
);
