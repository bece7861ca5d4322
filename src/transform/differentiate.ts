import type { GradientContext, GradientRule } from '../contract.ts';
import type { Emitter } from '../emit/index.ts';
import { FREEZE_BEFORE, unsupported } from '../emit/unsupported.ts';
import { LossgraftError } from '../errors.ts';
import { describeNode } from '../ir/attributes.ts';
import type { Node, Value } from '../ir/graph.ts';
import { topologicalOrder } from '../ir/order.ts';
import { ofStatedSize } from '../runtime/oracle/sizes.ts';
import { isFloat } from '../tensor.ts';
import { type Backpropagate, bodyGradients } from './bodyGradients.ts';
import { isQuantised, isRounding, QUANTISED_HINT, quantisedBehind } from './quantised.ts';
import { sumDown } from './sumDown.ts';

export type GradientRules = Readonly<Record<string, GradientRule>>;

export interface DifferentiateOptions {
  readonly rules: GradientRules;
  /** The elements of a value that does not depend on the data, or `undefined`. */
  readonly constant: (value: Value) => readonly number[] | undefined;
  /**
   * Whether a rule's own forward pass, which saves what it needs, replaces the model's. It is equal up to rounding; without this, the
   * model's own outputs stay bit-identical, and both run.
   */
  readonly replacesForward?: boolean;
  /** What the loss is multiplied by. Default 1. */
  readonly scale?: Value | undefined;
}

/**
 * Emits the reverse-mode gradient of a scalar `loss` with respect to `wrt`. A value that the loss does not depend on has no entry.
 *
 * @throws LossgraftError `no-gradient-rule` naming the node, and what to freeze.
 */
export function differentiate(
  op: Emitter,
  loss: Value,
  wrt: readonly Value[],
  options: DifferentiateOptions,
): ReadonlyMap<Value, Value> {
  if (!dependents(topologicalOrder(op.graph), wrt).has(loss)) return new Map();
  const seed = op.expandLike(options.scale ?? op.scalar(1, loss.dtype ?? 'float32'), loss);
  return backpropagate(op, [[loss, seed]], wrt, options);
}

/** The gradients of `wrt` that flow from `seeds`: values with their gradients. */
export const backpropagate: Backpropagate<DifferentiateOptions> = (op, seeds, wrt, options) => {
  const order = topologicalOrder(op.graph);
  const dependent = dependents(order, wrt);
  const tape = new Tape(op);
  for (const [value, gradient] of seeds) if (dependent.has(value)) tape.add(value, gradient);
  for (const node of order.reverse()) {
    if (!node.outputs.some((output) => output && tape.has(output))) continue;
    for (const [value, gradient] of nodeGradients(op, node, dependent, tape, options)) tape.add(value, gradient);
  }
  const found = new Map<Value, Value>();
  for (const value of wrt) {
    const gradient = tape.get(value);
    if (gradient) found.set(value, gradient);
  }
  return found;
};

/** The gradients that flow from a node's outputs to its inputs. */
function nodeGradients(
  op: Emitter,
  node: Node,
  dependent: ReadonlySet<Value>,
  tape: Tape,
  options: DifferentiateOptions,
): readonly (readonly [Value, Value])[] {
  const isNeeded = (value: Value | undefined): value is Value =>
    value !== undefined && dependent.has(value) && isDifferentiable(value);
  const needed = node.inputs.map(isNeeded);
  const captured = node.captures.filter(isNeeded);
  // Rules return gradients of inputs, not of outer values that bodies of If, Loop and Scan read.
  if (captured.length > 0 && node.bodies.size === 0) throw noRule(node);
  const own = node.meta.ownGradient;
  const dy = node.outputs[0] && tape.get(node.outputs[0]);
  if (own && dy)
    return [own, own.setting].flatMap((each) =>
      each && dependent.has(each.source) ? [[each.source, each.gradient(dy)] as const] : [],
    );
  if (!Object.hasOwn(options.rules, keyOf(node)) && readsSequence(node, dependent)) throw noRule(node);
  if (node.meta.stopsGradient) return [];
  if (isRounding(node) && node.inputs[0] && dependent.has(node.inputs[0])) throw noRule(node);
  if (!needed.includes(true) && captured.length === 0) return [];
  if (node.bodies.size > 0) {
    const flow = (i: number): Value | undefined => node.outputs[i] && tape.get(node.outputs[i]);
    const replaces = (i: number, value: Value): void => replaceForward(op, node, i, value, options);
    return bodyGradients({ op, node, needed, captured, flow, replaces, options, backpropagate });
  }
  return [...applyRule(op, node, needed, tape, options).entries()].flatMap(([i, gradient]) => {
    const input = node.inputs[i];
    if (!gradient || !input || !needed[i]) return [];
    return [[input, sumDown(op, gradient, input, node.inputs.length > 1)] as const];
  });
}

function replaceForward(op: Emitter, node: Node, i: number, value: Value, options: DifferentiateOptions): void {
  const output = node.outputs[i];
  if (!output || !options.replacesForward) return;
  [value.dtype, value.shape] = [output.dtype, output.shape];
  op.graph.replaceUses(output, value);
}

function isDifferentiable({ dtype }: Value): boolean {
  return isFloat(dtype);
}

/** Sequences have no element type here; gradients of their elements would be lost silently. */
function readsSequence({ inputs }: Node, dependent: ReadonlySet<Value>): boolean {
  return inputs.some((input) => input !== undefined && dependent.has(input) && input.dtype === undefined);
}

/** All values that depend on one of `wrt`, including these. */
export function dependents(order: readonly Node[], wrt: readonly Value[]): Set<Value> {
  const dependent = new Set<Value>(wrt);
  for (const node of order) {
    const reads = [...node.inputs, ...node.captures];
    if (!reads.some((value) => value !== undefined && dependent.has(value))) continue;
    for (const output of node.outputs) if (output) dependent.add(output);
  }
  return dependent;
}

/** Accumulated gradients. */
class Tape {
  readonly #op: Emitter;
  readonly #terms = new Map<Value, Value>();

  constructor(op: Emitter) {
    this.#op = op;
  }

  has(value: Value): boolean {
    return this.#terms.has(value);
  }

  get(value: Value): Value | undefined {
    return this.#terms.get(value);
  }

  add(value: Value, gradient: Value): void {
    const known = this.#terms.get(value);
    const sum = known ? this.#op.add(known, gradient) : gradient;
    if (sum.producer || known) [sum.dtype, sum.shape] = [value.dtype, value.shape];
    this.#terms.set(value, sum);
  }
}

function applyRule(
  op: Emitter,
  node: Node,
  needed: readonly boolean[],
  tape: Tape,
  options: DifferentiateOptions,
): readonly (Value | undefined)[] {
  const rule = ruleFor(node, options.rules);
  const gradients = rule(contextOf(op, node, needed, tape, options));
  if (gradients.length <= node.inputs.length) return gradients;
  throw new LossgraftError({
    code: 'gradient-arity',
    where: describeNode(node),
    expected: `at most ${node.inputs.length} gradients from the rule, one per input`,
    found: String(gradients.length),
    hint: 'This is a bug in the gradient rule; please report it',
  });
}

function ruleFor(node: Node, rules: GradientRules): GradientRule {
  const key = keyOf(node);
  const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
  if (rule) return rule;
  throw noRule(node);
}

function keyOf({ domain, opType }: Node): string {
  return domain === '' ? opType : `${domain}::${opType}`;
}

function noRule(stopped: Node): LossgraftError {
  // Integers have no gradient: what computed them is to be named, not what scales them.
  const [integers] = isRounding(stopped) ? stopped.inputs : [];
  const node = (integers && quantisedBehind(integers)) ?? stopped;
  return new LossgraftError({
    code: 'no-gradient-rule',
    where: describeNode(node),
    expected: 'only operators with a gradient rule between the trainable parameters and the loss',
    found: `${keyOf(node)}, which has none`,
    hint: isQuantised(node) ? QUANTISED_HINT : `${FREEZE_BEFORE}${otherwise(node)}`,
  });
}

/** Another hint: control flow often comes from the exporter. */
function otherwise({ opType }: Node): string {
  const isControl = opType === 'If' || opType === 'Loop' || opType === 'Scan' || opType.includes('Sequence');
  return isControl ? '. PyTorch’s other exporter (dynamo=True or False) may write the model without it' : '';
}

function contextOf(
  op: Emitter,
  node: Node,
  needed: readonly boolean[],
  tape: Tape,
  options: DifferentiateOptions,
): GradientContext {
  const dyOf = (i: number): Value => {
    const output = node.outputs[i];
    const known = flow(i);
    if (known) return known;
    return output ? op.zerosLike(output) : op.scalar(0, 'float32');
  };
  const input = (i: number): Value => {
    const value = node.inputs[i];
    if (value) return value;
    throw unsupported(node, `input ${i}`, 'none', 'gradient-input');
  };
  const constant = (i: number): readonly number[] | undefined => {
    const value = node.inputs[i];
    if (!value) return undefined;
    const elements = options.constant(value);
    if (elements) return elements;
    const expected = `input ${i} ("${value.name}") to be a constant`;
    throw unsupported(node, expected, 'a tensor computed from the data', 'gradient-input');
  };
  const known = (i: number): readonly number[] | undefined => {
    const value = node.inputs[i];
    return value && !needed[i] ? options.constant(value) : undefined;
  };
  const first = node.outputs.findIndex((output) => output !== undefined);
  const flow = (i: number): Value | undefined => {
    const output = node.outputs[i];
    return output && tape.get(output);
  };
  const replaces = (i: number, value: Value): void => replaceForward(op, node, i, value, options);
  return {
    op,
    node,
    inputs: node.inputs,
    outputs: node.outputs.map((output) => output && ofStatedSize(output)),
    get dy() {
      return dyOf(Math.max(0, first));
    },
    dyOf,
    flow,
    ahead: (write) => op.graph.before(node, write),
    replaces,
    wants: (i) => needed[i] ?? false,
    input,
    known,
    constant,
  };
}
