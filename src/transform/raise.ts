import { createEmitter, type Emitter } from '../emit/index.ts';
import { LossgraftError } from '../errors.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { toNumbers } from '../numbers.ts';
import type { GraphInit, ModelProto, NodeProto, Replacement } from '../onnx/types.ts';
import { inferTypes } from '../runtime/oracle/oracle.ts';
import { cannotRaise, type Form } from './adapters/adapter.ts';
import { changeAt, exists, RAISED } from './adapters/changes.ts';
import { nestedGraphs, patchNested } from './adapters/nested.ts';
import { constantTensor } from './constants.ts';
import { inferAllTypes } from './constantValues.ts';

/** The changes. */
export interface Raised {
  readonly from: number;
  readonly to: number;
  /** How many nodes were rewritten, by operator. */
  readonly rewritten: ReadonlyMap<string, number>;
  /** For the report; none if nothing changed. */
  readonly notes: readonly string[];
}

/** The smallest IR version that goes with an opset, by ONNX's table of releases. */
const IR_VERSIONS = [
  { opset: 15, ir: 8 },
  { opset: 12, ir: 7 },
  { opset: 11, ir: 6 },
];

/**
 * Raises an ai.onnx graph to a newer opset: calls whose form or meaning changed in between are rewritten with bit-identical results; all
 * others stay as they are in the file. Nodes in bodies of If, Loop and Scan are rewritten too.
 *
 * @param to 11 to 17. A graph at that opset is left alone.
 * @throws LossgraftError `cannot-raise` naming the node that has no newer form, or an opset out of range.
 */
export async function raiseOpset(model: Model, graph: Graph, to: number): Promise<Raised> {
  const from = graph.opsetImports.get('') ?? model.opset;
  if (from >= to) return { from, to: from, rewritten: new Map(), notes: [] };
  refuseOpsets(model, from, to);
  const unknown = untyped(graph, from, to);
  if (unknown.length > 0) await inferTypes(model.proto, graph, unknown);
  if (unknown.some(({ shape }) => shape === undefined)) await inferAllTypes(model, graph);
  const raiser = new Raiser(model, from, to);
  raiser.raise(graph);
  const { rewritten, patches } = raiser;
  graph.patches.push(...patches);
  graph.opsetImports.set('', to);
  const ir = IR_VERSIONS.find(({ opset }) => opset <= to)?.ir ?? 0;
  if (ir > model.proto.irVersion) graph.irVersion = ir;
  const counts = [...rewritten].map(([op, n]) => `${n} ${op}`).join(', ');
  const how = counts === '' ? 'no node needed rewriting' : `rewritten: ${counts}`;
  return { from, to, rewritten, notes: [`Raised the opset from ${from} to ${to} (${how})`] };
}

function refuseOpsets(model: Model, from: number, to: number): void {
  const refuse = (expected: string, found: string, hint: string) =>
    new LossgraftError({ code: 'cannot-raise', where: `opset_import of ${model.name}`, expected, found, hint });
  if (from < RAISED.first) {
    throw refuse(`opset ${RAISED.first} or newer`, `opset ${from}`, 'Export the model again with a newer opset');
  }
  if (to <= RAISED.last) return;
  throw refuse(`an opset up to ${RAISED.last} to raise to`, String(to), 'Raise it with onnx.version_converter');
}

/** Inputs of unknown type of nodes that will be rewritten. */
function untyped(graph: Graph, from: number, to: number): Value[] {
  const read = graph.nodes
    .filter(
      (node) => node.domain === '' && (node.captures.length > 0 || adapterAt(node.opType, from, to) !== undefined),
    )
    .flatMap((node) => [...node.inputs, ...node.captures]);
  const isUnknown = (value: Value | undefined): value is Value =>
    value?.producer !== undefined && (value.dtype === undefined || value.shape === undefined);
  return [...new Set(read.filter(isUnknown))];
}

/** The first opset after `from` at which a call must be rewritten, or cannot be. */
function adapterAt(opType: string, from: number, to: number): number | undefined {
  for (let version = from + 1; version <= to; version++) {
    const change = changeAt(opType, version);
    if (change && change.kind !== 'additive') return version;
  }
  return undefined;
}

/** Rewrites graphs, and collects what changes inside the bodies of If, Loop and Scan. */
class Raiser {
  readonly rewritten: Map<string, number> = new Map();
  readonly patches: Replacement[] = [];
  readonly #model: Model;
  readonly #from: number;
  readonly #to: number;

  constructor(model: Model, from: number, to: number) {
    this.#model = model;
    this.#from = from;
    this.#to = to;
  }

  /** @returns the replacement of each rewritten node. */
  raise(graph: Graph, outer?: Graph): ReadonlyMap<Node, readonly Node[]> {
    const op = createEmitter(graph, this.#to);
    const replaced = new Map<Node, readonly Node[]>();
    for (const node of graph.nodes) {
      const last = graph.previous(node);
      this.#raiseBodies(graph, node);
      const form = graph.before(node, () => this.#adapt(op, node, outer));
      if (form === undefined) continue;
      replaced.set(node, between(graph, last, graph.replaceNode(node, form)));
      this.rewritten.set(node.opType, (this.rewritten.get(node.opType) ?? 0) + 1);
    }
    return replaced;
  }

  #raiseBodies(graph: Graph, node: Node): void {
    for (const attribute of node.attributes.values()) {
      if (attribute.type === 'graph' && !('span' in attribute.value)) this.#refuseChanges(node, attribute.value);
    }
    if (callsFunction(this.#model.proto, node.proto)) {
      throw cannotRaise(node, "bodies that call none of the model's functions", 'one that does', INLINE_FIRST);
    }
    for (const body of nestedGraphs(this.#model.proto, graph, node, this.#to)) {
      this.patches.push(...patchNested(body, this.raise(body, graph)));
    }
  }

  /** A body from an inlined function is not part of the file, so it cannot be patched. */
  #refuseChanges(node: Node, body: GraphInit): void {
    for (const inner of body.nodes) {
      if ('raw' in inner) continue;
      if (adapterAt(inner.opType, this.#from, this.#to) !== undefined) {
        const found = `${inner.opType} in the body of a node of a function`;
        throw cannotRaise(node, 'calls whose body needs no rewriting', found);
      }
      for (const attribute of inner.attributes?.values() ?? []) {
        if (attribute.type === 'graph') this.#refuseChanges(node, attribute.value);
      }
    }
  }

  /** The call at the newer opset, or `undefined` if it can stay as it is. */
  #adapt(op: Emitter, node: Node, outer: Graph | undefined): Form | undefined {
    if (node.domain !== '') return undefined;
    if (!exists(node.opType, this.#from)) {
      throw cannotRaise(
        node,
        `operators that ai.onnx has at opset ${this.#from}`,
        `${node.opType}, which does not exist there`,
      );
    }
    let form: Form = node;
    for (let version = this.#from + 1; version <= this.#to; version++) {
      const change = changeAt(form.opType, version);
      if (change === undefined || change.kind === 'additive') continue;
      if (change.kind === 'refused') {
        throw cannotRaise(node, `a call that opset ${this.#to} still has`, `at opset ${this.#from} ${change.why}`);
      }
      const reads = (i: number): boolean => op.graph.isRead(form.outputs[i]);
      form = change.adapt({
        op,
        node,
        form,
        isRead: reads,
        constant: (value) => this.#constant(op.graph, value, outer),
      });
    }
    return form === node ? undefined : form;
  }

  #constant(graph: Graph, value: Value, outer: Graph | undefined): readonly number[] | undefined {
    const { proto, dir } = this.#model;
    const captured = outer?.values.get(value.name);
    const tensor =
      constantTensor(proto, graph, value, dir) ?? (outer && captured && constantTensor(proto, outer, captured, dir));
    return tensor && toNumbers(tensor);
  }
}

const INLINE_FIRST = 'Inline the functions with onnx.inliner first';

/** Inlining patches a body's bytes, so its nodes can no longer be rewritten. */
function callsFunction({ functions }: Pick<ModelProto, 'functions'>, node: NodeProto | undefined): boolean {
  if (functions.length === 0 || node === undefined) return false;
  const bodies = [...node.attributes.values()].flatMap((a) => (a.type === 'graph' ? [a.value] : []));
  return bodies
    .flatMap((body) => body.nodes)
    .some(
      (inner) =>
        functions.some((fn) => fn.name === inner.opType && fn.domain === inner.domain) ||
        callsFunction({ functions }, inner),
    );
}

/** The nodes after one, or after the beginning, up to another one. */
function between(graph: Graph, before: Node | undefined, last: Node): Node[] {
  const found: Node[] = [];
  for (let node: Node | undefined = last; node && node !== before; node = graph.previous(node)) found.push(node);
  return found.reverse();
}
