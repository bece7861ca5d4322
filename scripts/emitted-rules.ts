import { Graph, Node, type Value } from '../src/ir/graph.ts';
import {
  buildGradientCase,
  type GradientCase,
  gradientCases,
  gradientFamilies,
} from '../test/support/gradientCases.ts';
import { modelBytes } from '../test/support/scratch.ts';
import { hasBodies, lacks } from './cudaCases.ts';
import type { EmittedGraph } from './emitted-graph.ts';

/** So many cases share a graph: a session costs more than the nodes in it. */
const TOGETHER = 40;

interface Built {
  readonly name: string;
  readonly graph: Graph;
}

/**
 * Every rule by every case of fixtures/gradients, with known and with symbolic dimensions: the operator, its gradients and nothing
 * else. Cases of one opset share a graph; its `parts` are the cases themselves. Operators that CUDA lacks stand alone.
 */
export async function* ruleGraphs(): AsyncGenerator<EmittedGraph> {
  for (const family of gradientFamilies()) {
    const all = gradientCases(family);
    for (const c of all.filter(hasBodies)) {
      for (const { name, graph } of await variants(family, c)) yield { name, model: modelBytes(graph, c.opset) };
    }
    const cases = all.filter((c) => !hasBodies(c));
    for (const c of cases.filter(lacks)) {
      const lacking = [c.op, ...(PARTNERS[c.op] ?? [])];
      for (const { name, graph } of await variants(family, c)) {
        yield { name, model: modelBytes(graph, c.opset), lacking };
      }
    }
    for (const [opset, group] of byOpset(cases.filter((c) => !lacks(c)))) {
      for (let first = 0; first < group.length; first += TOGETHER) {
        const built: Built[] = [];
        for (const c of group.slice(first, first + TOGETHER)) built.push(...(await variants(family, c)));
        yield {
          name: `gradients/${family} opset ${opset}, cases ${first + 1} to ${Math.min(first + TOGETHER, group.length)}`,
          model: modelBytes(merged(built.map(({ graph }) => graph)), opset),
          parts: built.map(({ name, graph }) => ({ name, model: modelBytes(graph, opset) })),
        };
      }
    }
  }
}

/** The derivative of one is the other, and CUDA has neither. */
const PARTNERS: Readonly<Record<string, readonly string[]>> = { Sinh: ['Cosh'], Cosh: ['Sinh'] };

async function variants(family: string, c: GradientCase): Promise<Built[]> {
  const built: Built[] = [];
  for (const symbolic of [undefined, ...(c.symbolic ?? (['all'] as const))]) {
    const { graph } = await buildGradientCase(c, { symbolic, replacesForward: true });
    const name = `gradients/${family} ${c.op} opset ${c.opset}: ${c.name}${symbolic ? `, symbolic: ${symbolic}` : ''}`;
    built.push({ name, graph });
  }
  return built;
}

function byOpset(cases: readonly GradientCase[]): Map<number, GradientCase[]> {
  const groups = new Map<number, GradientCase[]>();
  for (const c of cases) groups.set(c.opset, [...(groups.get(c.opset) ?? []), c]);
  return groups;
}

/** Graphs beside each other in one, every name with the graph's number before it. */
export function merged(graphs: readonly Graph[]): Graph {
  const all = new Graph();
  for (const [i, graph] of graphs.entries()) {
    const copies = new Map<Value, Value>();
    const copy = (value: Value): Value => {
      const known = copies.get(value);
      if (known) return known;
      const dims = value.shape?.map((dim) => (typeof dim === 'string' ? `${i}/${dim}` : dim));
      const made = all.define(`${i}/${value.name}`, value.dtype, dims);
      copies.set(value, made);
      return made;
    };
    for (const [value, tensor] of graph.initializers) all.initializers.set(copy(value), tensor);
    all.inputs.push(...graph.inputs.map(copy));
    for (const { opType, domain, name, inputs, outputs, attributes } of graph.nodes) {
      const places = (values: readonly (Value | undefined)[]) => values.map((value) => value && copy(value));
      const node = new Node({ opType, domain, name: `${i}/${name}`, attributes });
      all.attach(node, places(inputs), places(outputs));
    }
    all.outputs.push(...graph.outputs.map(copy));
  }
  return all;
}
