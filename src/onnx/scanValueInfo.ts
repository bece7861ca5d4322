import type { Dim } from '../tensor.ts';
import type { WireReader } from './reader.ts';
import { dataTypeOf, scanEntry } from './scanTensor.ts';
import type { Span, TensorType, ValueInfoProto } from './types.ts';
import { LEN } from './wire.ts';

type Kind = ValueInfoProto['kind'];

/** TypeProto's oneof by field number. */
const KINDS: ReadonlyMap<number, Kind> = new Map([
  [1, 'tensor'],
  [4, 'sequence'],
  [5, 'map'],
  [7, 'opaque'],
  [8, 'sparse'],
  [9, 'optional'],
]);

interface TypeView {
  kind: Kind;
  type: TensorType | undefined;
  dimSpans: readonly Span[];
}

/** A view of the ValueInfoProto at `span`. */
export function scanValueInfo(reader: WireReader, span: Span): ValueInfoProto {
  let name = '';
  let view: TypeView | undefined;
  const metadata = new Map<string, string>();
  reader.walk(span, (r) => {
    if (r.number === 1) name = r.string('ValueInfoProto.name');
    else if (r.number === 2) {
      r.once(view, 'ValueInfoProto.type');
      r.expect(LEN, 'ValueInfoProto.type');
      view = scanType(r, r.span);
    } else if (r.number === 4) scanEntry(r, 'ValueInfoProto.metadata_props', metadata);
  });
  return { span, name, metadata, ...(view ?? { kind: 'none', type: undefined, dimSpans: [] }) };
}

function scanType(reader: WireReader, span: Span): TypeView {
  let view: TypeView | undefined;
  reader.walk(span, (r) => {
    const kind = KINDS.get(r.number);
    if (kind === undefined) return;
    r.once(view, 'kind of TypeProto');
    r.expect(LEN, 'TypeProto');
    view = kind === 'tensor' ? scanTensorType(r, r.span) : { kind, type: undefined, dimSpans: [] };
  });
  return view ?? { kind: 'none', type: undefined, dimSpans: [] };
}

function scanTensorType(reader: WireReader, span: Span): TypeView {
  let dtypeNumber = 0;
  let shape: Dim[] | undefined;
  const dimSpans: Span[] = [];
  reader.walk(span, (r) => {
    if (r.number === 1) dtypeNumber = r.int('TypeProto.Tensor.elem_type');
    else if (r.number === 2) {
      r.once(shape, 'TypeProto.Tensor.shape');
      r.expect(LEN, 'TypeProto.Tensor.shape');
      const dims: Dim[] = [];
      r.walk(r.span, () => {
        if (r.number !== 1) return;
        r.expect(LEN, 'TensorShapeProto.dim');
        dimSpans.push(r.span);
        dims.push(scanDim(r, r.span));
      });
      shape = dims;
    }
  });
  return { kind: 'tensor', type: { dtype: dataTypeOf(dtypeNumber), shape }, dimSpans };
}

/** Old exporters write -1 or an empty name for an unknown dimension. */
function scanDim(reader: WireReader, span: Span): Dim {
  let dim: Dim;
  reader.walk(span, (r) => {
    if (r.number === 1) dim = r.int('TensorShapeProto.Dimension.dim_value');
    else if (r.number === 2) dim = r.string('TensorShapeProto.Dimension.dim_param');
  });
  return dim === '' || (typeof dim === 'number' && dim < 0) ? undefined : dim;
}
