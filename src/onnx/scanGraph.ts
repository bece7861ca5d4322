import type { WireReader } from './reader.ts';
import { scanNode } from './scanNode.ts';
import { scanTensor } from './scanTensor.ts';
import { scanValueInfo } from './scanValueInfo.ts';
import type { GraphProto, NodeProto, Span, TensorProto, ValueInfoProto } from './types.ts';
import { LEN } from './wire.ts';

/** A view of the GraphProto at `span`, nested graphs included. */
export function scanGraph(reader: WireReader, span: Span): GraphProto {
  const nodes: NodeProto[] = [];
  const initializers: TensorProto[] = [];
  const sparseInitializerNames: string[] = [];
  const inputs: ValueInfoProto[] = [];
  const outputs: ValueInfoProto[] = [];
  const valueInfos: ValueInfoProto[] = [];
  let name = '';
  reader.walk(span, (r) => {
    if (r.number === 1) nodes.push(scanNode(r, message(r, 'GraphProto.node'), scanGraph));
    else if (r.number === 2) name = r.string('GraphProto.name');
    else if (r.number === 5) initializers.push(scanTensor(r, message(r, 'GraphProto.initializer')));
    else if (r.number === 11) inputs.push(scanValueInfo(r, message(r, 'GraphProto.input')));
    else if (r.number === 12) outputs.push(scanValueInfo(r, message(r, 'GraphProto.output')));
    else if (r.number === 13) valueInfos.push(scanValueInfo(r, message(r, 'GraphProto.value_info')));
    else if (r.number === 15) sparseInitializerNames.push(sparseName(r, message(r, 'GraphProto.sparse_initializer')));
  });
  return { span, name, nodes, initializers, sparseInitializerNames, inputs, outputs, valueInfos };
}

function message(reader: WireReader, what: string): Span {
  reader.expect(LEN, what);
  return reader.span;
}

/** A SparseTensorProto has the name of its `values`. */
function sparseName(reader: WireReader, span: Span): string {
  let name = '';
  reader.walk(span, (r) => {
    if (r.number === 1) name = scanTensor(r, message(r, 'SparseTensorProto.values')).name;
  });
  return name;
}
