import { COMPOSITE_DOMAIN, type Expansion } from '../contract.ts';
import { createEmitter, type Emitter, type Value } from '../emit/index.ts';
import type { ErrorCode } from '../errorCodes.ts';
import { LossgraftError } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Node } from '../ir/graph.ts';

export type Expansions = Readonly<Record<string, Expansion>>;

/**
 * Replaces every composite by its expansion, at the same place. Readers of its outputs read the expansion's.
 *
 * @throws LossgraftError `no-expansion` for a composite without one.
 */
export function expand(op: Emitter, expansions: Expansions): void {
  for (const node of op.graph.nodes) {
    expandBodies(op, node, expansions);
    if (node.domain === COMPOSITE_DOMAIN) expandNode(op, node, expansions);
  }
}

export function expandBodies({ opset }: Emitter, node: Node, expansions: Expansions): void {
  for (const body of node.bodies.values()) expand(createEmitter(body, opset), expansions);
}

export function expandNode(op: Emitter, node: Node, expansions: Expansions): void {
  const expansion = Object.hasOwn(expansions, node.opType) ? expansions[node.opType] : undefined;
  if (!expansion) throw problem('no-expansion', node, 'an expansion into standard operators', 'none');
  const input = (i: number): Value => {
    const value = node.inputs[i];
    if (!value) throw problem('composite-input', node, `input ${i}`, 'none');
    return value;
  };
  const values = op.graph.before(node, () => expansion({ op, node, input, outputs: node.outputs }));
  if (values.length !== node.outputs.length) {
    throw problem('composite-arity', node, `${node.outputs.length} results of the expansion`, String(values.length));
  }
  for (const [i, output] of node.outputs.entries()) {
    const value = values[i];
    if (!output || !value) continue;
    value.dtype ??= output.dtype;
    value.shape = output.shape ?? value.shape;
    op.graph.replaceUses(output, value);
    for (const [at, listed] of op.graph.outputs.entries()) if (listed === output) op.graph.outputs[at] = value;
  }
  op.graph.remove(node);
}

function problem(code: ErrorCode, node: Node, expected: string, found: string): LossgraftError {
  return new LossgraftError({
    code,
    where: describeNode(node),
    expected,
    found,
    hint: 'This is a bug in lossgraft; please report it',
  });
}
