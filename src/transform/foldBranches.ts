import { describeNode } from '../ir/attributes.ts';
import { copyBody } from '../ir/bodies.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { toNumbers } from '../numbers.ts';
import { computeConstants } from './constantValues.ts';

/** Values for free input sizes, to see whether a branch depends on them. */
const TRIALS = [1, 2, 5, 64];

/**
 * Replaces an If by its branch if the condition depends only on sizes and is the same for all batch sizes: exporters write such an If for
 * squeeze and the like.
 *
 * @returns notes.
 */
export async function foldBranches(model: Model, graph: Graph): Promise<string[]> {
  const branches = graph.nodes.filter(({ opType, bodies }) => opType === 'If' && bodies.size > 0);
  const conditions = new Set(branches.flatMap(({ inputs }) => inputs[0] ?? []));
  if (conditions.size === 0) return [];
  const found = new Map<Value, Set<number>>();
  for (const size of TRIALS) {
    const computed = await computeConstants(model, graph, { only: conditions, free: size }).catch(() => new Map());
    for (const condition of conditions) {
      const tensor = computed.get(condition);
      const [value] = tensor ? toNumbers(tensor) : [];
      found.set(condition, (found.get(condition) ?? new Set()).add(value ?? Number.NaN));
    }
  }
  const folded = branches.filter(({ inputs: [condition] }) => {
    const values = condition && found.get(condition);
    return values?.size === 1 && !values.has(Number.NaN);
  });
  for (const node of folded) {
    const [condition] = node.inputs;
    const isTrue = condition && found.get(condition)?.has(1);
    fold(graph, node, isTrue ? 'then_branch' : 'else_branch');
  }
  const names = folded.map(describeNode).join(', ');
  return folded.length > 0 ? [`Sizes alone decide a branch, which is always the same one here: ${names}`] : [];
}

function fold(graph: Graph, node: Node, name: string): void {
  const branch = node.bodies.get(name);
  if (!branch) return;
  const outputs = [...node.outputs];
  graph.before(node, () => {
    const copy = copyBody(branch, graph, new Map());
    node.outputs = [];
    for (const [i, output] of outputs.entries()) {
      const source = branch.outputs[i];
      if (output && source) graph.addNode({ opType: 'Identity', inputs: [copy(source)], outputs: [output] });
    }
  });
  graph.remove(node);
}
