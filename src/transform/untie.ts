import { describeNode } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { toNumbers } from '../numbers.ts';
import { elementCount, isFloat } from '../tensor.ts';
import { constantTensor } from './constants.ts';
import { findParameters } from './parameters.ts';

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

/**
 * A note on parameters that look merged without a trace, as PyTorch's exporter (dynamo=True) leaves them: the scales and biases of a
 * network that was never trained. Where tensors of different elements are shared as well, the network shares its weights on purpose.
 */
export function mergedNotes(model: Model, graph: Graph): string[] {
  const shared = findParameters(graph).parameters.filter(
    ({ value, source }) => elementCount(source.dims) > 1 && timesRead(value) > 1,
  );
  const [first] = shared;
  if (!first || !shared.every(({ value }) => holdsOneNumber(model, graph, value))) return [];
  const count = shared.length === 1 ? '1 parameter holds' : `${shared.length} parameters hold`;
  const example = `"${first.value.name}" in ${timesRead(first.value)}`;
  const hint = 'Parameters that should move apart need an export with dynamo=False, or one made after some training';
  return [`${count} one number throughout and serve several places (${example}), and are trained as one. ${hint}`];
}

function timesRead(value: Value): number {
  return [...value.uses].flatMap(({ inputs }) => inputs.filter((input) => input === value)).length;
}

function holdsOneNumber(model: Model, graph: Graph, value: Value): boolean {
  const tensor = constantTensor(model.proto, graph, value, model.dir);
  const numbers = tensor && toNumbers(tensor);
  return numbers?.every((number) => number === numbers[0]) ?? false;
}
