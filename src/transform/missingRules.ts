import { noGradient } from '../contract.ts';
import type { Node, Value } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import { dependents, type GradientRules } from './differentiate.ts';
import { isRounding } from './quantised.ts';

/** Operators on the path of gradients that have no rule, including bodies of If, Loop and Scan. */
export function withoutRule(order: readonly Node[], from: readonly Value[], rules: GradientRules): string[] {
  const passes = order.filter((node) => rules[operatorName(node)] !== noGradient);
  const dependent = dependents(passes, from);
  return passes.flatMap((node) => {
    const read = [...node.inputs, ...node.captures].filter((value) => value !== undefined && dependent.has(value));
    if (read.length === 0) return [];
    const inner = [...node.bodies.values()].flatMap((body) =>
      withoutRule(
        topologicalOrder(body),
        [...node.captures.filter((value) => dependent.has(value)), ...body.inputs],
        rules,
      ),
    );
    if (node.bodies.size > 0) return inner;
    const op = operatorName(node);
    return Object.hasOwn(rules, op) || isRounding(node) ? [] : [op];
  });
}

/** The nodes that one of `ends` depends on. */
export function nodesBefore(order: readonly Node[], ends: readonly Value[]): ReadonlySet<Node> {
  const wanted = new Set<Value>(ends);
  const before = new Set<Node>();
  for (const node of order.toReversed()) {
    if (!node.outputs.some((output) => output && wanted.has(output))) continue;
    before.add(node);
    for (const value of [...node.inputs, ...node.captures]) if (value) wanted.add(value);
  }
  return before;
}

/** The key of a rule: the operator, with its domain if that is not ai.onnx. */
export function operatorName(node: Node): string {
  return node.domain === '' ? node.opType : `${node.domain}::${node.opType}`;
}
