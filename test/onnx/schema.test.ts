import type { IType } from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { ONNX_SCHEMA } from '../../src/onnx/schema.ts';
import { needsPython, python } from './python.ts';

type Fields = Record<string, readonly [number, string, string, boolean]>;

function flat(messages: Readonly<Record<string, IType>>, prefix = ''): Record<string, Fields> {
  const out: Record<string, Fields> = {};
  for (const [name, { fields, nested }] of Object.entries(messages)) {
    out[prefix + name] = Object.fromEntries(
      Object.entries(fields).map(([field, { id, type, options, ...more }]) => {
        const rule = 'rule' in more && more.rule === 'repeated' ? 'repeated' : 'optional';
        return [field, [id, rule, type, options?.packed === true]];
      }),
    );
    Object.assign(out, flat((nested ?? {}) as Record<string, IType>, `${prefix}${name}.`));
  }
  return out;
}

describe("the schema, against the descriptors of Python's onnx", needsPython('onnx'), () => {
  it('has every message with every field, its number, rule, type and packing', () => {
    const ours = flat(ONNX_SCHEMA);
    const theirs = JSON.parse(python('schema.py', '')) as Record<string, Fields>;
    expect(Object.keys(theirs).length).toBeGreaterThan(15);
    expect(ours).toMatchObject(theirs);
  });
});
