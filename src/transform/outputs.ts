import type { Graph, Value } from '../ir/graph.ts';
import { RENAME_TENSOR } from '../ir/names.ts';

/** A graph output: its name, its value, and the value whose type and shape it has. */
export interface NamedOutput {
  readonly name: string;
  readonly source: Value;
  readonly like: Pick<Value, 'dtype' | 'shape'>;
}

/**
 * Adds outputs under their own names. Values from lossgraft's own nodes take the name directly: an Identity would copy a value with other
 * readers, such as the next momentum, which the parameter's update reads.
 *
 * @throws LossgraftError `name-collision`
 */
export function addNamedOutputs(graph: Graph, outputs: readonly NamedOutput[]): void {
  const renamed = new Map<Value, Value>();
  for (const { name, source, like } of outputs) {
    const output = graph.define(name, like.dtype, like.shape, name.includes('.') ? RENAME_TENSOR : undefined);
    const known = renamed.get(source);
    if (known === undefined && isRenamable(graph, source)) {
      rename(graph, source, output);
      renamed.set(source, output);
    } else graph.addNode({ opType: 'Identity', inputs: [known ?? source], outputs: [output] });
    graph.outputs.push(output);
  }
}

function isRenamable(graph: Graph, value: Value): boolean {
  const { producer } = value;
  const isOurs = producer !== undefined && producer.proto === undefined;
  return isOurs && !graph.outputs.includes(value) && [...value.uses].every((use) => !use.captures.includes(value));
}

function rename(graph: Graph, value: Value, to: Value): void {
  const { producer } = value;
  if (!producer) throw new Error(`nothing makes "${value.name}"`);
  producer.outputs = producer.outputs.map((output) => (output === value ? to : output));
  to.producer = producer;
  value.producer = undefined;
  graph.replaceUses(value, to);
  graph.values.delete(value.name);
}
