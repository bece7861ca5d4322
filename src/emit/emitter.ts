import { LossgraftError } from '../errors.ts';
import type { Graph, NodeAttributes, Value } from '../ir/graph.ts';
import type { Tensor } from '../tensor.ts';
import { scalarTensor } from './constants.ts';
import { tableForms } from './elementwise.ts';
import { movement } from './movement.ts';
import { scan } from './scan.ts';
import type { Calls, Emitter } from './types.ts';

/** @throws LossgraftError `opset-too-old` below 11, the first opset in which every loss can be written. */
export function createEmitter(graph: Graph, opset: number): Emitter {
  if (opset < MIN_OPSET) {
    throw new LossgraftError({
      code: 'opset-too-old',
      where: 'opset_import of ai.onnx',
      expected: `opset ${MIN_OPSET} or newer`,
      found: `opset ${opset}`,
      hint: 'Export the model again with a newer opset, or convert it with onnx.version_converter',
    });
  }
  const base = createCalls(graph, opset);
  return {
    graph,
    opset,
    ...base,
    ...tableForms(base, opset),
    ...movement(base, opset),
    scan: (initial, sequences, write, options) =>
      scan({ base, graph, within: (body) => createEmitter(body, opset) }, { initial, sequences, write, ...options }),
  };
}

export const MIN_OPSET = 11;

function createCalls(graph: Graph, opset: number): Calls {
  const constants = new Map<string, Value>();
  const callAll: Emitter['callAll'] = (opType, inputs, outputs, options = {}) => {
    const attributes: NodeAttributes = new Map(Object.entries(options.attributes ?? {}));
    const name = graph.freshName(`lossgraft/${options.label ?? opType}`);
    const values = outputs.map(({ dtype, shape }, i) => graph.define(i === 0 ? name : `${name}:${i}`, dtype, shape));
    const bodies = options.bodies ? { bodies: new Map(Object.entries(options.bodies)) } : {};
    graph.addNode({ opType, name, domain: options.domain ?? '', inputs, outputs: values, attributes, ...bodies });
    return values;
  };
  const call: Emitter['call'] = (opType, inputs, options = {}) => {
    const dtype = 'dtype' in options ? options.dtype : inputs.find((input) => input !== undefined)?.dtype;
    const [value] = callAll(opType, inputs, [{ dtype, shape: options.shape }], options);
    if (!value) throw new Error(`${opType} at opset ${opset} made no output`);
    return value;
  };
  const constant = (tensor: Tensor): Value => {
    const key = `${tensor.dtype} ${tensor.dims.join('x')} ${tensor.data.length > 64 ? graph.freshName('') : Array.from(tensor.data, keyOf).join()}`;
    const known = constants.get(key);
    if (known) return known;
    const value = graph.define(graph.freshName('lossgraft/const'), tensor.dtype, tensor.dims);
    graph.initializers.set(value, tensor);
    constants.set(key, value);
    return value;
  };
  return {
    call,
    callAll,
    constant,
    scalar: (value, dtype) => constant(scalarTensor(value, dtype)),
    vector: (values) =>
      constant({ dtype: 'int64', dims: [values.length], data: BigInt64Array.from(values, (v) => BigInt(v)) }),
  };
}

function keyOf(element: number | bigint | string): string {
  return Object.is(element, -0) ? '-0' : String(element);
}
