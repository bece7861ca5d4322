import { int, intAttribute } from '../ir/attributes.ts';
import type { Graph, Node, NodeSpec, Value } from '../ir/graph.ts';
import { elementCount } from '../tensor.ts';
import { formOf, type Scaled, scaledInput } from './integerForms.ts';

/** From here on ai.onnx has scales for each channel; before, ONNX Runtime's own domain. */
const AXIS_SINCE = 13;

/** Puts DequantizeLinear before and QuantizeLinear behind what a graph computes with integers. */
export class Rounding {
  readonly graph: Graph;
  readonly opset: number;
  readonly #domain: string;
  /** The floats of integers, once they were asked for. */
  readonly #floats = new Map<Value, Value>();

  constructor(graph: Graph, opset: number) {
    this.graph = graph;
    this.opset = opset;
    this.#domain = opset >= AXIS_SINCE ? '' : 'com.microsoft';
  }

  /** What integers stand for; the node that gives it comes before `node`. */
  float({ value, scale, zero, axis }: Scaled, node: Node): Value {
    const known = this.#floats.get(value);
    if (known) return known;
    const float = this.graph.define(this.#name(`${value.name}_dequantized`), 'float32');
    this.graph.before(node, () => this.#add('DequantizeLinear', [value, scale, zero], float, axis));
    this.#floats.set(value, float);
    return float;
  }

  /** A call on floats in a node's place. Its results are rounded to `scale`, under the names that they had; without one they are floats. */
  replace(node: Node, spec: Omit<NodeSpec, 'outputs'>, scale: Omit<Scaled, 'value'> | undefined): void {
    const { graph } = this;
    if (scale === undefined) {
      for (const output of node.outputs) if (output) [output.dtype, output.shape] = ['float32', undefined];
      graph.replaceNode(node, { ...spec, outputs: node.outputs });
      return;
    }
    const rounded = node.outputs.map((output) => output && { output, float: this.#floatOf(output) });
    const outputs = rounded.map((each) => each?.float);
    graph.before(node, () => graph.addNode({ ...spec, outputs }));
    for (const each of rounded) {
      if (!each) continue;
      const inputs = [each.float, scale.scale, scale.zero];
      graph.before(node, () => this.#add('QuantizeLinear', inputs, each.output, scale.axis));
    }
    graph.remove(node);
  }

  /** How integers are scaled: as the node that made them says, else as those that read them do. */
  scaleOf(value: Value): Omit<Scaled, 'value'> | undefined {
    const { producer } = value;
    if (producer?.opType === 'QuantizeLinear') return ownScale(producer, 0);
    if (producer?.opType === 'DynamicQuantizeLinear' && producer.outputs[1])
      return { scale: producer.outputs[1], zero: producer.outputs[2], axis: 1 };
    return this.#scaleBehind(value);
  }

  #scaleBehind(value: Value, depth = 4): Omit<Scaled, 'value'> | undefined {
    for (const node of value.uses) {
      if (node.opType === 'DequantizeLinear' && node.inputs[0] === value) return ownScale(node, 0);
      const form = formOf(node, this.opset);
      const at = form?.tensors.find((each) => node.inputs[each] === value);
      if (form && at !== undefined) return scaledInput(node, at, form.axes?.[form.tensors.indexOf(at)]);
      const [moved] = node.inputs[0] === value && depth > 0 && form === undefined ? node.outputs : [];
      const found = moved && this.#scaleBehind(moved, depth - 1);
      if (found) return found;
    }
    return undefined;
  }

  /** Whether one scale stands for all elements. */
  isOne({ scale }: Omit<Scaled, 'value'>): boolean {
    const source = this.graph.initializers.get(scale);
    return source ? elementCount(source.dims) === 1 : scale.producer?.opType === 'DynamicQuantizeLinear';
  }

  #add(opType: string, inputs: readonly (Value | undefined)[], output: Value, axis: number): void {
    const attributes = axis === 1 ? undefined : new Map([['axis', int(axis)]]);
    this.graph.addNode({ opType, domain: this.#domain, inputs, outputs: [output], ...(attributes && { attributes }) });
    if (this.#domain !== '' && !this.graph.opsetImports.has(this.#domain)) this.graph.opsetImports.set(this.#domain, 1);
  }

  #floatOf(output: Value): Value {
    return this.graph.define(this.#name(`${output.name}_float`), 'float32');
  }

  #name(name: string): string {
    return this.graph.values.has(name) ? this.graph.freshName(name) : name;
  }
}

function ownScale(node: Node, at: number): Omit<Scaled, 'value'> | undefined {
  return scaledInput(node, at, intAttribute(node, 'axis', 1));
}
