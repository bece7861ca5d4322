export { LossgraftError, option } from '../errors.ts';
export {
  attribute,
  describeNode,
  float,
  floatAttribute,
  int,
  intAttribute,
  ints,
  intsAttribute,
  string,
  stringAttribute,
} from '../ir/attributes.ts';
export type { Node, Value } from '../ir/graph.ts';
export { type DataType, type Dim, elementCount, type Tensor } from '../tensor.ts';
export { broadcastShapes, sameShape, staticDims } from './broadcast.ts';
export { createEmitter, MIN_OPSET } from './emitter.ts';
export type { Operand } from './tables.ts';
export type { Emitter, Pen, ScanStep } from './types.ts';
export { unsupported } from './unsupported.ts';
