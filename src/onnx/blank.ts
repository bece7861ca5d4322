import { fromBytes } from '../files/bytes.ts';
import { scan } from './scan.ts';
import type { ModelProto } from './types.ts';
import { concat, intField, lenField, stringField } from './wire.ts';

/** IR 8 goes with opset 17; every runtime that knows opset 17 reads it. */
const IR_VERSION = 8;

/** An empty model with an opset and a name, to write a new graph into. */
export function blankModel(opset: number, name: string): ModelProto {
  const fields = [
    intField(1, IR_VERSION),
    stringField(2, 'lossgraft'),
    ...lenField(7, [stringField(2, name)]),
    ...lenField(8, [intField(2, opset)]),
  ];
  return scan(fromBytes(concat(fields), name));
}
