import type { Dim, Tensor } from '../tensor.ts';
import { isView } from './edit.ts';
import type { Graph, InitializerSource, Node, Value } from './graph.ts';

/** The graph as text, one line each: inputs, new initializers, nodes, outputs. `onlyNew` leaves out what the user's file has. */
export function printGraph(graph: Graph, options: { readonly onlyNew?: boolean } = {}): string {
  const lines: string[] = [];
  for (const value of graph.inputs) lines.push(`input ${typed(value)}`);
  for (const [value, source] of graph.initializers) {
    if (options.onlyNew && isView(source)) continue;
    lines.push(`const ${typed(value)} = ${elements(source)}`);
  }
  for (const node of graph.nodes) {
    if (options.onlyNew && node.proto) continue;
    lines.push(printNode(node));
  }
  for (const value of graph.outputs) lines.push(`output ${typed(value)}`);
  return `${lines.join('\n')}\n`;
}

/** One line: `y = Gemm(x, w, b) {transB=1}`. */
export function printNode(node: Node): string {
  const outputs = node.outputs.map((value) => value?.name ?? '_').join(', ');
  const inputs = node.inputs.map((value) => value?.name ?? '_').join(', ');
  const op = node.domain === '' ? node.opType : `${node.domain}::${node.opType}`;
  const attributes = [
    ...[...node.attributes].map(([name, attribute]) => `${name}=${plain(attribute.value)}`),
    ...[...node.bodies.keys()].map((name) => `${name}=graph`),
  ];
  return `${outputs} = ${op}(${inputs})${attributes.length > 0 ? ` {${attributes.join(', ')}}` : ''}`;
}

function plain(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(plain).join(', ')}]`;
  if (typeof value === 'object' && value !== null) return 'nodes' in value ? 'graph' : 'tensor';
  return String(value);
}

function typed(value: Value): string {
  return `${value.name}: ${value.dtype ?? '?'}${formatShape(value.shape)}`;
}

/** `[N, 3, ?]`; `[…]` if even the rank is unknown. */
export function formatShape(shape: readonly Dim[] | undefined): string {
  return shape ? `[${shape.map((dim) => dim ?? '?').join(', ')}]` : '[…]';
}

const SHOWN = 8;

function elements(source: InitializerSource): string {
  if (isView(source)) return 'from the file';
  const { data } = source satisfies Tensor;
  const shown = Array.from(data.slice(0, SHOWN), String).join(', ');
  return data.length > SHOWN ? `${shown}, … (${data.length})` : shown;
}
