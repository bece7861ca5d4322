import { describeNode } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { isFloat } from '../tensor.ts';

/** A parameter that was merged with another. */
export interface Untied {
  /** The initializer that stood for both. */
  readonly parameter: string;
  /** Its own name. */
  readonly name: string;
  /** The nodes that read it. */
  readonly readers: readonly string[];
}

/**
 * PyTorch's exporter (dynamo=False) merges tensors with equal elements into one initializer, and names the others through Identity nodes.
 * Training would move them together, so each becomes an initializer of its own again, under the Identity's name. An initializer that
 * several nodes read directly is a shared weight, and stays one.
 */
export function untie(graph: Graph): { readonly untied: readonly Untied[]; readonly notes: readonly string[] } {
  const untied: Untied[] = [];
  const merged = new Set([...graph.initializers.keys()].filter((value) => isMerged(graph, value)));
  for (const node of graph.nodes) {
    const [input] = node.inputs;
    const [output] = node.outputs;
    const source = input && graph.initializers.get(input);
    if (!source || !output || !merged.has(input) || !givesAlias(graph, node)) continue;
    const readers = [...output.uses].map(describeNode);
    output.producer = undefined;
    output.dtype = input.dtype;
    output.shape = input.shape;
    graph.initializers.set(output, source);
    graph.remove(node);
    untied.push({ parameter: input.name, name: output.name, readers });
  }
  return { untied, notes: untied.length > 0 ? [note(untied)] : [] };
}

/** A weight with several readers, so that an Identity of it may be another weight. */
function isMerged(graph: Graph, value: Value): boolean {
  return isFloat(value.dtype) && (value.uses.size > 1 || graph.outputs.includes(value));
}

/** An Identity that gives an output of the graph is the user's own. */
function givesAlias(graph: Graph, node: Node): boolean {
  if (node.opType !== 'Identity' || node.domain !== '') return false;
  return !node.outputs.some((output) => output && graph.outputs.includes(output));
}

function note(untied: readonly Untied[]): string {
  const shown = untied.slice(0, 3).map(({ name, parameter }) => `"${name}" from "${parameter}"`);
  const more = untied.length > shown.length ? ', …' : '';
  return `${untied.length} parameters that the exporter had merged because they were equal are separate again: ${shown.join(', ')}${more}`;
}
