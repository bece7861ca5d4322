import { describe, expect, it } from 'vitest';
import {
  checkEdit,
  encodeNodeFields,
  type GraphInit,
  type ModelEdit,
  type NodeInit,
  rewireNode,
} from '../../src/onnx/index.ts';
import { scanBytes, smallModel } from './models.ts';

const model = scanBytes(smallModel());
const [mm, add, relu] = model.graph.nodes;
const [w] = model.graph.initializers;
const [x] = model.graph.inputs;
if (!(mm && add && relu && w && x)) throw new Error('the small model lacks something');

const node = (inputs: string[], outputs: string[], more: Partial<NodeInit> = {}): NodeInit => ({
  name: '',
  opType: 'Add',
  inputs,
  outputs,
  ...more,
});
const initializer = (name: string) => ({
  name,
  tensor: { dtype: 'float32', dims: [1], data: Float32Array.of(0) } as const,
});
const value = (name: string) => ({ name, dtype: 'float32', shape: [1] }) as const;
const body = (outputs: string[]): GraphInit => ({
  name: 'body',
  nodes: [node(['y'], outputs)],
  initializers: [],
  inputs: [],
  outputs: outputs.map(value),
});
const withBody = (graph: GraphInit): NodeInit =>
  node(['y'], ['r'], { opType: 'If', attributes: new Map([['then_branch', { type: 'graph', value: graph }]]) });
const instead = (bytes: Uint8Array) => ({ replacements: [{ span: mm.span, bytes }] });

describe('checkEdit accepts', () => {
  it.each<[string, ModelEdit]>([
    ['nothing', {}],
    ['a chain of new nodes', { nodes: [node(['y', 'w'], ['a']), node(['a', ''], ['c'])], outputs: [value('c')] }],
    ['a new initializer of a removed name', { removals: [w.span], initializers: [initializer('w')] }],
    ['an initializer that becomes an input', { removals: [w.span], inputs: [value('w')] }],
    ['a new input with a default', { inputs: [value('n')], initializers: [initializer('n')] }],
    [
      'a removed tail',
      {
        removals: model.graph.nodes
          .slice(3)
          .map(({ span }) => span)
          .concat(model.graph.outputs.slice(1).map(({ span }) => span)),
      },
    ],
    ['a rewired node', instead(rewireNode(model.source, mm, { inputs: ['x', 'w'] }))],
    ['one node for two', instead(encodeNodeFields([node(['x'], ['p']), node(['p', 'w'], ['xw'])]))],
    [
      'nodes before one that reads them',
      {
        nodesBefore: [{ before: add.span, nodes: [node(['xw'], ['q'])] }],
        replacements: [{ span: add.span, bytes: rewireNode(model.source, add, { inputs: ['q', 'b'] }) }],
      },
    ],
    ['a raised opset', { opsetImports: new Map([['', 18]]) }],
    ['a new domain', { nodes: [node(['y'], ['r'], { domain: 'd' })], opsetImports: new Map([['d', 1]]) }],
    ['a body that reads the outer scope', { nodes: [withBody(body(['inner']))] }],
    ['an output without a type', { untypedOutputs: ['z'] }],
  ])('%s', (_, edit) => {
    expect(() => checkEdit(model, edit)).not.toThrow();
  });
});

describe('checkEdit refuses', () => {
  it.each<[string, ModelEdit, string]>([
    ['a second initializer', { initializers: [initializer('w')] }, 'duplicate-value'],
    ['an input over an initializer', { inputs: [value('w')] }, 'duplicate-value'],
    ['a default for a host input', { initializers: [initializer('x')] }, 'duplicate-value'],
    ['an output that the host makes', { nodes: [node(['x'], ['z'])] }, 'duplicate-value'],
    ['two new ones', { nodes: [node(['x'], ['a', 'a'])] }, 'duplicate-value'],
    ['a body that shadows', { nodes: [withBody(body(['xw']))] }, 'duplicate-value'],
    [
      'a body that reads nothing known',
      { nodes: [withBody({ ...body(['i']), nodes: [node(['nowhere'], ['i'])] })] },
      'undefined-input',
    ],
    [
      'a raw body that reads nothing known',
      { nodes: [withBody({ ...body(['i']), nodes: [{ raw: encodeNodeFields([node(['nowhere'], ['i'])]) }] })] },
      'undefined-input',
    ],
    ['an unknown input', { nodes: [node(['nowhere'], ['a'])] }, 'undefined-input'],
    ['nodes out of order', { nodes: [node(['c'], ['a']), node(['x'], ['c'])] }, 'not-topological'],
    [
      'a host node that reads what comes later',
      {
        nodes: [node(['x'], ['q'])],
        replacements: [{ span: add.span, bytes: rewireNode(model.source, add, { inputs: ['q', 'b'] }) }],
      },
      'not-topological',
    ],
    ['a loop of one node', { nodes: [node(['a'], ['a'])] }, 'not-topological'],
    ['a removed node that is read', { removals: [relu.span] }, 'dangling-input'],
    ['a removed initializer that is read', { removals: [w.span] }, 'dangling-input'],
    ['a removed input that is read', { removals: [x.span] }, 'dangling-input'],
    ['the name of a host node', { nodes: [node(['x'], ['a'], { name: 'relu' })] }, 'duplicate-node-name'],
    ['an output that nothing makes', { outputs: [value('nowhere')] }, 'undefined-output'],
    ['an untyped output that nothing makes', { untypedOutputs: ['nowhere'] }, 'undefined-output'],
    ['an output twice', { outputs: [value('y')] }, 'duplicate-output'],
    ['a type twice', { valueInfos: [value('z')] }, 'duplicate-value-info'],
    ['a domain without an opset', { nodes: [node(['x'], ['a'], { domain: 'd' })] }, 'opset-missing'],
    ['a lower opset', { opsetImports: new Map([['ai.onnx', 16]]) }, 'opset-lowered'],
    ['half an opset', { opsetImports: new Map([['d', 1.5]]) }, 'bad-opset'],
    ['a lower IR', { irVersion: 7 }, 'ir-lowered'],
  ])('%s', (_, edit, code) => {
    expect(() => checkEdit(model, edit)).toThrow(expect.objectContaining({ code }));
  });
});
