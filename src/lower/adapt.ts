import type { ExpansionContext } from '../contract.ts';
import { createEmitter, type Emitter } from '../emit/index.ts';
import { isView } from '../ir/edit.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import { toNumbers } from '../numbers.ts';

/** What a form knows of its node. */
export interface FormContext extends ExpansionContext {
  readonly op: Emitter;
  /** The elements of a constant that lossgraft made; `undefined` for any other value. */
  readonly constant: (value: Value) => readonly number[] | undefined;
}

/** Another form of a standard operator: one value per output, or `undefined` where the node had better stay as it is. */
export type NodeForm = (context: FormContext) => readonly Value[] | undefined;

export type NodeForms = Readonly<Record<string, NodeForm>>;

/** Gives nodes another form, in place, those in bodies that lossgraft wrote too. Values keep their names. */
export function adapt(op: Emitter, forms: NodeForms): void {
  const { graph } = op;
  for (const node of graph.nodes) {
    for (const body of node.bodies.values()) adapt(createEmitter(body, op.opset), forms);
    const form = node.domain === '' && Object.hasOwn(forms, node.opType) ? forms[node.opType] : undefined;
    const values = form && graph.before(node, () => form(contextOf(op, node)));
    if (values) replace(graph, node, values);
  }
}

function contextOf(op: Emitter, node: Node): FormContext {
  const input = (i: number): Value => {
    const value = node.inputs[i];
    if (!value) throw new Error(`${node.opType} "${node.name}" has no input ${i}`);
    return value;
  };
  const constant = (value: Value): readonly number[] | undefined => {
    const source = op.graph.initializers.get(value);
    return source && !isView(source) ? toNumbers({ ...source }) : undefined;
  };
  return { op, node, input, outputs: node.outputs, constant };
}

/** What reads the node's outputs, by their names in bodies and outside, reads the same values. */
function replace(graph: Graph, node: Node, values: readonly Value[]): void {
  const { outputs } = node;
  for (const [i, output] of outputs.entries()) {
    const value = values[i];
    if (!output || !value) continue;
    const { producer } = value;
    if (producer && !producer.proto && producer.outputs.includes(value) && value.uses.size === 0) {
      producer.outputs = producer.outputs.map((made) => (made === value ? output : made));
      output.producer = producer;
      graph.values.delete(value.name);
    } else {
      output.producer = undefined;
      graph.before(node, () => graph.addNode({ opType: 'Identity', inputs: [value], outputs: [output] }));
    }
  }
  graph.remove(node);
}
