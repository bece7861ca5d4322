import type { ByteSource } from '../files/bytes.ts';
import { WireReader } from './reader.ts';
import { scanTensor } from './scanTensor.ts';
import { ONNX_SCHEMA } from './schema.ts';
import type { Span, TensorProto } from './types.ts';
import { LEN } from './wire.ts';

/** Of each message: its fields (number to type) through which a TensorProto can be reached. */
const ROUTES: ReadonlyMap<string, ReadonlyMap<number, string>> = routes();

/** Every tensor of a model file, wherever it is: initializers, attributes, functions, sparse tensors, training info. */
export function findTensors(source: ByteSource): TensorProto[] {
  const reader = new WireReader(source);
  const tensors: TensorProto[] = [];
  const visit = (type: string, span: Span): void => {
    if (type === 'TensorProto') {
      tensors.push(scanTensor(reader, span));
      return;
    }
    const fields = ROUTES.get(type);
    reader.walk(span, (r) => {
      const next = fields?.get(r.number);
      if (next === undefined) return;
      r.expect(LEN, next);
      visit(next, r.span);
    });
  };
  visit('ModelProto', { start: 0, body: 0, end: source.size });
  return tensors;
}

function routes(): Map<string, Map<number, string>> {
  const found = new Map<string, Map<number, string>>([['TensorProto', new Map()]]);
  for (let before = -1; before !== countRoutes(found); ) {
    before = countRoutes(found);
    for (const [message, { fields }] of Object.entries(ONNX_SCHEMA)) {
      if (message === 'TensorProto') continue;
      const usable = Object.values(fields).filter(({ type }) => found.has(type));
      if (usable.length > 0) found.set(message, new Map(usable.map(({ id, type }) => [id, type])));
    }
  }
  return found;
}

function countRoutes(found: ReadonlyMap<string, ReadonlyMap<number, string>>): number {
  return [...found.values()].reduce((n, fields) => n + 1 + fields.size, 0);
}
