import { LossgraftError } from '../errors.ts';
import type { ByteSource } from '../files/bytes.ts';
import { WireReader } from './reader.ts';
import { scanGraph } from './scanGraph.ts';
import { normalDomain, scanAttribute, scanNode } from './scanNode.ts';
import { scanEntry } from './scanTensor.ts';
import type { Attribute, FunctionProto, GraphProto, ModelProto, NodeProto, Span } from './types.ts';
import { LEN } from './wire.ts';

/** The fields of ModelProto by number, with their wire types. */
const MODEL_FIELDS: ReadonlyMap<number, number> = new Map([
  [1, 0],
  [2, 2],
  [3, 2],
  [4, 2],
  [5, 0],
  [6, 2],
  [7, 2],
  [8, 2],
  [14, 2],
  [20, 2],
  [25, 2],
  [26, 2],
]);

interface Header {
  irVersion: number;
  producerName: string;
  producerVersion: string;
  domain: string;
  modelVersion: bigint;
  docString: string;
}

/**
 * Scans an ONNX model: names, types, shapes and where everything is; tensors' elements are not read.
 * Errors name the file and the byte: `not-onnx`, `truncated-file`, `malformed`, `wire-type`, `too-deep`, `duplicate-graph`,
 * `missing-graph`, `duplicate-field`, `invalid-utf8`, `too-long`, `bad-dimension`, `attribute-without-value`.
 */
export function scan(source: ByteSource): ModelProto {
  try {
    return scanModel(source);
  } catch (error) {
    throw startsLikeModel(source) ? error : notOnnx(source, error);
  }
}

function scanModel(source: ByteSource): ModelProto {
  const reader = new WireReader(source);
  const header: Header = {
    irVersion: 0,
    producerName: '',
    producerVersion: '',
    domain: '',
    modelVersion: 0n,
    docString: '',
  };
  const opsetImports = new Map<string, number>();
  const metadata = new Map<string, string>();
  const functions: FunctionProto[] = [];
  let graph: GraphProto | undefined;
  reader.walk({ start: 0, body: 0, end: source.size }, (r) => {
    if (r.number === 7) {
      if (graph !== undefined) throw duplicateGraph(source, r.start);
      graph = scanGraph(r, message(r, 'ModelProto.graph'));
    } else if (r.number === 8) scanOpset(r, opsetImports);
    else if (r.number === 14) scanEntry(r, 'ModelProto.metadata_props', metadata);
    else if (r.number === 25) functions.push(scanFunction(r, message(r, 'ModelProto.functions')));
    else scanHeader(r, header);
  });
  if (graph === undefined) throw missingGraph(source);
  return { source, ...header, opsetImports, metadata, graph, functions };
}

function scanHeader(r: WireReader, header: Header): void {
  if (r.number === 1) header.irVersion = r.int('ModelProto.ir_version');
  else if (r.number === 2) header.producerName = r.string('ModelProto.producer_name');
  else if (r.number === 3) header.producerVersion = r.string('ModelProto.producer_version');
  else if (r.number === 4) header.domain = r.string('ModelProto.domain');
  else if (r.number === 5) header.modelVersion = r.bigint('ModelProto.model_version');
  else if (r.number === 6) header.docString = r.string('ModelProto.doc_string');
}

/** The last of two imports of one domain counts, as in ONNX Runtime. */
function scanOpset(reader: WireReader, opsets: Map<string, number>): void {
  let domain = '';
  let version = 0;
  reader.walk(message(reader, 'OperatorSetIdProto'), (r) => {
    if (r.number === 1) domain = normalDomain(r.string('OperatorSetIdProto.domain'));
    else if (r.number === 2) version = r.int('OperatorSetIdProto.version');
  });
  opsets.set(domain, version);
}

function scanFunction(reader: WireReader, span: Span): FunctionProto {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributeNames: string[] = [];
  const attributeDefaults = new Map<string, Attribute>();
  const nodes: NodeProto[] = [];
  const opsetImports = new Map<string, number>();
  let name = '';
  let domain = '';
  let overload = '';
  reader.walk(span, (r) => {
    if (r.number === 1) name = r.string('FunctionProto.name');
    else if (r.number === 4) inputs.push(r.string('FunctionProto.input'));
    else if (r.number === 5) outputs.push(r.string('FunctionProto.output'));
    else if (r.number === 6) attributeNames.push(r.string('FunctionProto.attribute'));
    else if (r.number === 7) nodes.push(scanNode(r, message(r, 'FunctionProto.node'), scanGraph));
    else if (r.number === 9) scanOpset(r, opsetImports);
    else if (r.number === 10) domain = normalDomain(r.string('FunctionProto.domain'));
    else if (r.number === 11) attributeDefaults.set(...scanAttribute(r, scanGraph));
    else if (r.number === 13) overload = r.string('FunctionProto.overload');
  });
  return { span, name, domain, overload, inputs, outputs, attributeNames, attributeDefaults, nodes, opsetImports };
}

function message(reader: WireReader, what: string): Span {
  reader.expect(LEN, what);
  return reader.span;
}

/** A file that does not even begin with a field of ModelProto is not a damaged model but something else. */
function startsLikeModel(source: ByteSource): boolean {
  const [first] = headOf(source);
  return first !== undefined && MODEL_FIELDS.get(first >>> 3) === (first & 7);
}

function headOf(source: ByteSource): Uint8Array {
  return new Uint8Array(source.read(0, Math.min(source.size, 64)));
}

function describe(head: Uint8Array): string {
  const text = String.fromCharCode(...head);
  if (head.length === 0) return 'an empty file';
  if (text.startsWith('version https://git-lfs')) return 'a Git LFS pointer (the real file was not fetched)';
  if (text.startsWith('PK')) return 'a zip archive (a PyTorch checkpoint, perhaps)';
  if (/^\s*</.test(text)) return 'a web page or XML';
  if (/^[\x20-\x7e\s]+$/.test(text)) return `text: ${JSON.stringify(text.slice(0, 24))}`;
  return `bytes ${Array.from(head.subarray(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function notOnnx(source: ByteSource, cause: unknown): LossgraftError {
  const hint = 'Pass a model exported to ONNX in binary form';
  return new LossgraftError({
    code: 'not-onnx',
    where: source.name,
    expected: 'an ONNX model (ModelProto)',
    found: describe(headOf(source)),
    hint,
    cause,
  });
}

function missingGraph(source: ByteSource): LossgraftError {
  return new LossgraftError({
    code: 'missing-graph',
    where: `${source.name}, byte ${source.size}`,
    expected: 'a ModelProto with a graph',
    found: 'a file without a graph',
    hint: 'The file is damaged, truncated, or holds only weights; pass the .onnx file itself',
  });
}

function duplicateGraph(source: ByteSource, start: number): LossgraftError {
  return new LossgraftError({
    code: 'duplicate-graph',
    where: `${source.name}, byte ${start}`,
    expected: 'one graph field',
    found: 'a second one, which parsers merge with the first while some viewers show only one',
    hint: 'Load and save the model once with Python’s onnx, which merges the two',
  });
}
