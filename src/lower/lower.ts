import { type BlockedContext, type BlockedRule, COMPOSITE_DOMAIN, type Placed } from '../contract.ts';
import type { Emitter, Value } from '../emit/index.ts';
import { isView } from '../ir/edit.ts';
import type { Graph, Node } from '../ir/graph.ts';
import { type Expansions, expandBodies, expandNode } from './expand.ts';
import { BLOCKED_DOMAIN, Layouts, type LowerTarget } from './layouts.ts';

export type BlockedRules = Readonly<Record<string, BlockedRule>>;

/** Plain and blocked forms of composites and operators. */
export interface Forms {
  readonly expansions: Expansions;
  readonly blocked: BlockedRules;
  /** The elements of a value that does not depend on data or parameters. */
  readonly constant: (value: Value) => readonly number[] | undefined;
}

/**
 * Rewrites a graph in place for lossgraft's own session on this machine's CPU: nodes with a blocked form take it, and values between them
 * stay in blocks. Composites without such a form are expanded. Never for a file.
 */
export function lower(op: Emitter, forms: Forms, target: LowerTarget): void {
  const { graph } = op;
  const { expansions, blocked: rules } = forms;
  const layouts = new Layouts(op, target);
  for (const node of graph.nodes) {
    const rule = ruleOf(rules, node);
    const placed = graph.before(node, () => rule?.(contextOf(op, node, layouts, { ...target, ...forms })));
    if (placed) place(op, node, placed, layouts);
    else keep(op, node, expansions, layouts);
  }
  for (const [i, output] of graph.outputs.entries()) graph.outputs[i] = layouts.plain(output);
  if (graph.nodes.some(({ domain }) => domain === BLOCKED_DOMAIN)) graph.opsetImports.set(BLOCKED_DOMAIN, 1);
}

/** Values that a body reads from outside must keep their names. */
function ruleOf(rules: BlockedRules, node: Node): BlockedRule | undefined {
  if (node.domain !== '' && node.domain !== COMPOSITE_DOMAIN) return undefined;
  const isCaptured = node.outputs.some((output) =>
    [...(output?.uses ?? [])].some((use) => use.captures.includes(output as Value)),
  );
  return !isCaptured && Object.hasOwn(rules, node.opType) ? rules[node.opType] : undefined;
}

function contextOf(
  op: Emitter,
  node: Node,
  layouts: Layouts,
  { block, constant }: LowerTarget & Forms,
): BlockedContext {
  const { graph } = op;
  const numbersOf = (value: Value): readonly number[] | undefined => ownNumbers(graph, value) ?? constant(value);
  const input = (i: number): Value => {
    const value = node.inputs[i];
    if (!value) throw new Error(`${node.opType} "${node.name}" has no input ${i}`);
    return value;
  };
  return {
    op,
    node,
    input,
    outputs: node.outputs,
    block,
    dims: (value) => value && layouts.dims(value),
    isBlocked: (value) => value !== undefined && layouts.isBlocked(value),
    canBlock: (value) => value !== undefined && layouts.canBlock(value),
    blocked: (value) => layouts.blocked(value),
    plain: (value) => layouts.plain(value),
    numbersOf,
    numberOf: (value) => {
      const numbers = numbersOf(value);
      return numbers?.length === 1 ? numbers[0] : undefined;
    },
    isConstant: (value) => graph.initializers.has(value) || value.producer?.opType === 'Constant',
    readers: (value) => value.uses.size + Number(graph.outputs.includes(value)),
  };
}

/** Elements of a constant made here. */
function ownNumbers(graph: Graph, value: Value): readonly number[] | undefined {
  const source = graph.initializers.get(value);
  if (!source || isView(source)) return undefined;
  return Array.from(source.data, Number);
}

function place(op: Emitter, node: Node, placed: readonly (Placed | undefined)[], layouts: Layouts): void {
  for (const [i, output] of node.outputs.entries()) {
    const form = placed[i];
    if (!output || !form) continue;
    if ('blocked' in form) layouts.place(output, form.blocked);
    else replace(op, output, form.plain);
  }
  op.graph.remove(node);
}

function replace(op: Emitter, output: Value, value: Value): void {
  value.dtype ??= output.dtype;
  value.shape = output.shape ?? value.shape;
  op.graph.replaceUses(output, value);
  for (const [at, listed] of op.graph.outputs.entries()) if (listed === output) op.graph.outputs[at] = value;
}

/** The node as it is, reading plain forms. */
function keep(op: Emitter, node: Node, expansions: Expansions, layouts: Layouts): void {
  const inputs = op.graph.before(node, () => node.inputs.map((input) => input && layouts.plain(input)));
  for (const input of node.inputs) if (input && !node.captures.includes(input)) input.uses.delete(node);
  for (const input of inputs) input?.uses.add(node);
  node.inputs = inputs;
  expandBodies(op, node, expansions);
  if (node.domain === COMPOSITE_DOMAIN) expandNode(op, node, expansions);
}
