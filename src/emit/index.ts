export {
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
export { broadcastShapes, sameShape, staticDims } from './broadcast.ts';
export { createEmitter, type Emitter, MIN_OPSET, type Operand } from './emitter.ts';
export { STOP_GRADIENT } from './movement.ts';
