import { LossgraftError } from '../errors.ts';
import type { Graph, Value } from '../ir/graph.ts';
import { Node } from '../ir/graph.ts';
import type { Model } from '../model.ts';
import { encodeNodeFields, usedNames } from '../onnx/index.ts';
import type { FunctionProto, GraphProto, NodeInit, NodeProto } from '../onnx/types.ts';
import { isSameSchema } from './adapters/changes.ts';
import { attributesOf, type Scope } from './functionScope.ts';

/** How many calls of each function were replaced, by `domain::name`. */
export interface Inlined {
  readonly calls: ReadonlyMap<string, number>;
  /** For the report; none if there were none. */
  readonly notes: readonly string[];
}

/**
 * Replaces calls of the model's own functions by their nodes, including calls within functions and within bodies of If, Loop and Scan,
 * and removes the functions from the file. New values and nodes are named under `lossgraft/inline/`.
 *
 * @throws LossgraftError `inline` naming a function that calls itself, whose operators have another meaning at the model's opset, or that
 * contains what a new node cannot.
 */
export function inlineFunctions(model: Model, graph: Graph): Inlined {
  const { functions } = model.proto;
  if (functions.length === 0) return { calls: new Map(), notes: [] };
  const inliner = new Inliner(model, graph);
  for (const node of graph.nodes) {
    const { proto } = node;
    const fn = proto && inliner.functionOf(proto);
    if (proto && fn) replaceCall(graph, node, inliner.call(fn, proto));
    else if (proto) inliner.patchBodies(proto);
  }
  for (const { span } of functions) graph.patches.push({ span, bytes: new Uint8Array(0) });
  const { calls } = inliner;
  const total = [...calls.values()].reduce((sum, n) => sum + n, 0);
  const notes =
    total > 0 ? [`${total} calls of the model's functions were inlined (${[...calls.keys()].join(', ')})`] : [];
  return { calls, notes };
}

function keyOf(node: { readonly domain: string; readonly overload: string }, name: string): string {
  const key = node.domain === '' ? name : `${node.domain}::${name}`;
  return node.overload === '' ? key : `${key}:${node.overload}`;
}

class Inliner {
  readonly calls: Map<string, number> = new Map();
  readonly #model: Model;
  readonly #graph: Graph;
  readonly #functions: ReadonlyMap<string, FunctionProto>;
  readonly #open: string[] = [];

  constructor(model: Model, graph: Graph) {
    this.#model = model;
    this.#graph = graph;
    this.#functions = new Map(model.proto.functions.map((fn) => [keyOf(fn, fn.name), fn]));
  }

  functionOf(node: NodeProto): FunctionProto | undefined {
    return this.#functions.get(keyOf(node, node.opType));
  }

  /** The nodes of a call in the file's main graph or in a body of it. */
  call(fn: FunctionProto, node: NodeProto): NodeInit[] {
    const outside: Scope = {
      model: this.#model,
      where: `node "${node.name || (node.outputs[0] ?? '')}" (${node.opType})`,
      nameOf: (name) => name,
      fresh: (name) => this.#fresh('body', name),
      attribute: () => undefined,
      nodes: (body, scope) => this.#nodes(body.nodes, scope),
    };
    return this.#expand(fn, { ...node, attributes: attributesOf(node.attributes, outside) });
  }

  /** Replaces calls in the bodies of a node of the file, as bytes. */
  patchBodies(node: NodeProto): void {
    for (const attribute of node.attributes.values()) {
      const bodies: readonly GraphProto[] =
        attribute.type === 'graph' ? [attribute.value] : attribute.type === 'graphs' ? attribute.value : [];
      for (const inner of bodies.flatMap((body) => body.nodes)) {
        const fn = this.functionOf(inner);
        if (fn) this.#graph.patches.push({ span: inner.span, bytes: encodeNodeFields(this.call(fn, inner)) });
        else this.patchBodies(inner);
      }
    }
  }

  #expand(fn: FunctionProto, call: Pick<NodeInit, 'inputs' | 'outputs' | 'attributes'>): NodeInit[] {
    const key = keyOf(fn, fn.name);
    if (this.#open.includes(key)) {
      const found = `a function that calls itself (${[...this.#open, key].join(' → ')})`;
      throw refusal(`function ${key}`, 'functions that end', found, 'The model is malformed; export it again');
    }
    this.#checkOpsets(fn);
    this.calls.set(key, (this.calls.get(key) ?? 0) + 1);
    this.#open.push(key);
    const { scope, copies } = this.#scopeOf(fn, call);
    const nodes = this.#nodes(fn.nodes, scope);
    this.#open.pop();
    return [...nodes, ...copies];
  }

  /** Names of the function's own values, and Identity nodes for outputs that it passes through or returns twice. */
  #scopeOf(
    fn: FunctionProto,
    call: Pick<NodeInit, 'inputs' | 'outputs' | 'attributes'>,
  ): { readonly scope: Scope; readonly copies: readonly NodeInit[] } {
    const names = new Map<string, string>([['', '']]);
    for (const [i, name] of fn.inputs.entries()) names.set(name, call.inputs[i] ?? '');
    const copies: NodeInit[] = [];
    for (const [i, name] of fn.outputs.entries()) {
      const output = call.outputs[i] ?? '';
      const known = names.get(name);
      if (output === '') continue;
      if (known === undefined) names.set(name, output);
      else copies.push({ name: this.#fresh(fn.name, name), opType: 'Identity', inputs: [known], outputs: [output] });
    }
    const fresh = (name: string): string => this.#fresh(fn.name, name);
    const nameOf = (name: string): string => {
      const known = names.get(name);
      if (known !== undefined) return known;
      const created = fresh(name);
      names.set(name, created);
      return created;
    };
    const scope: Scope = {
      model: this.#model,
      where: `function ${keyOf(fn, fn.name)}`,
      nameOf,
      fresh,
      attribute: (name) => call.attributes?.get(name) ?? attributesOf(fn.attributeDefaults, scope).get(name),
      nodes: (body, inner) => this.#nodes(body.nodes, inner),
    };
    return { scope, copies };
  }

  #nodes(nodes: readonly NodeProto[], scope: Scope): NodeInit[] {
    return nodes.flatMap((node) => {
      const inputs = node.inputs.map(scope.nameOf);
      const outputs = node.outputs.map(scope.nameOf);
      const attributes = attributesOf(node.attributes, scope);
      const fn = this.functionOf(node);
      if (fn) return this.#expand(fn, { inputs, outputs, attributes });
      const { opType, domain } = node;
      return [{ name: scope.fresh(node.name || opType), opType, domain, inputs, outputs, attributes }];
    });
  }

  #fresh(label: string, name: string): string {
    return this.#graph.freshName(`lossgraft/inline/${label}/${name}`);
  }

  /** A function may import other opsets than the model; its nodes move to the model's. */
  #checkOpsets(fn: FunctionProto): void {
    const where = `function ${keyOf(fn, fn.name)}`;
    for (const [domain, version] of fn.opsetImports) {
      const { opsetImports } = this.#graph;
      const own = opsetImports.get(domain) ?? this.#model.proto.opsetImports.get(domain);
      if (own === undefined) opsetImports.set(domain, version);
      if (own === undefined || own === version) continue;
      const moved = operatorsOf(fn.nodes, domain).find(
        (op) => !this.#functions.has(op) && (domain !== '' || !isSameSchema(op, own, version)),
      );
      if (moved === undefined) continue;
      const expected = `operators of ${domain || 'ai.onnx'} that are the same at opset ${own}, as in the model`;
      const hint = 'Export the model again with one opset for it and its functions';
      throw refusal(where, expected, `${moved}, written for opset ${version}`, hint);
    }
  }
}

/** The operators of a domain in nodes and their bodies. */
function operatorsOf(nodes: readonly NodeProto[], domain: string): string[] {
  return nodes.flatMap((node) => {
    const bodies = [...node.attributes.values()].flatMap((a) => (a.type === 'graph' ? [a.value] : []));
    const inner = bodies.flatMap((body) => operatorsOf(body.nodes, domain));
    return node.domain === domain ? [node.opType, ...inner] : inner;
  });
}

/** Replaces a call by nodes; its outputs keep their names. */
function replaceCall(graph: Graph, node: Node, inits: readonly NodeInit[]): void {
  const valueNamed = (name: string): Value | undefined =>
    name === '' ? undefined : (graph.values.get(name) ?? graph.define(name));
  for (const init of inits) {
    const made = new Node({ domain: '', attributes: new Map(), ...init });
    made.captures = [...new Set(usedNames({ ...init, inputs: [] }))].flatMap((name) => valueNamed(name) ?? []);
    graph.before(node, () => graph.attach(made, init.inputs.map(valueNamed), init.outputs.map(valueNamed)));
  }
  graph.remove(node);
}

function refusal(where: string, expected: string, found: string, hint: string): LossgraftError {
  return new LossgraftError({ code: 'inline', where, expected, found, hint });
}
