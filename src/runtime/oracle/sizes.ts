import type { Graph, Value } from '../../ir/graph.ts';
import type { ModelProto, Replacement } from '../../onnx/types.ts';
import type { DataType, Dim, Shape } from '../../tensor.ts';
import { isBfloat16 } from './bfloat16.ts';
import { derivable } from './derived.ts';
import { Facts } from './facts.ts';
import { inferClaims, inferTypes } from './oracle.ts';
import { type NotRehearsed, rehearse } from './rehearsal.ts';
import { adoptDeclared, restate } from './restate.ts';
import { isCarried } from './skeleton.ts';

interface OpenModel {
  readonly proto: ModelProto;
  readonly dir: string;
}

/**
 * Types of all values, with the dimensions from runs of the model. ONNX Runtime's shape inference is only a claim: if a run gives another
 * length, a Reshape behind the node states it to the runtime and to the node's readers. A length is a number if it was the same in runs
 * of different sizes, a symbol of the inputs if it followed that symbol, and otherwise left open, for graphs to read at run time.
 * Contradicting value infos are removed from the graph.
 *
 * @returns `undefined`, or why the model did not run: then dimensions come from inference alone.
 */
export async function settleSizes(model: OpenModel, graph: Graph): Promise<NotRehearsed | undefined> {
  const key = signature(graph);
  const before = settled.get(model.proto) ?? new Map<string, Settled>();
  settled.set(model.proto, before);
  const known = before.get(key);
  if (known) {
    apply(graph, known);
    return undefined;
  }
  await inferClaims(model.proto, graph);
  const computed = [...graph.values.values()].filter(({ producer }) => producer !== undefined);
  const passedOn = new Set(derivable(graph, new Set(computed)));
  const asked = computed.filter((value) => !passedOn.has(value) && (isCarried(value.dtype) || isBfloat16(value)));
  const rehearsal = await rehearse(model, graph, asked);
  if ('why' in rehearsal) {
    await inferTypes(model.proto, graph);
    return rehearsal;
  }
  const facts = new Facts(graph, rehearsal);
  const corrections = await correctAll(model.proto, graph, asked, facts);
  for (const value of computed) value.shape = facts.of(value);
  for (const { output, dims } of corrections) output.shape = dims;
  adoptDeclared(graph, (value, axis, dim) => facts.saw(value, axis, dim));
  restate(model.proto, graph, (value, axis, dim) => facts.confirms(value, axis, dim));
  before.set(key, {
    types: new Map(computed.map(({ name, dtype, shape }) => [name, { dtype, shape }])),
    corrections: corrections.map(({ of, dims }) => ({ name: of.name, dims })),
    patches: graph.patches.slice(),
  });
  return undefined;
}

/** What was found for a graph, by the names of its values. */
interface Settled {
  readonly types: ReadonlyMap<string, { readonly dtype: DataType | undefined; readonly shape: Shape }>;
  readonly corrections: readonly { readonly name: string; readonly dims: readonly Dim[] }[];
  readonly patches: readonly Replacement[];
}

/** A run builds the same graph of a model several times; the rehearsal is shared. */
const settled = new WeakMap<ModelProto, Map<string, Settled>>();

function signature(graph: Graph): string {
  const nodes = graph.nodes.map(({ opType, inputs, outputs }) => [
    opType,
    ...[...inputs, ...outputs].map((v) => v?.name),
  ]);
  const inputs = graph.inputs.map(({ name, shape }) => [name, shape]);
  return JSON.stringify([[...graph.opsetImports], inputs, nodes, graph.patches.map(({ span }) => span.start)]);
}

function apply(graph: Graph, { types, corrections, patches }: Settled): void {
  for (const [name, { dtype, shape }] of types) {
    const value = graph.value(name);
    [value.dtype, value.shape] = [dtype, shape];
  }
  for (const { name, dims } of corrections) correct(graph, graph.value(name), dims);
  graph.patches.splice(0, graph.patches.length, ...patches);
}

/** Corrects values that are wrong themselves, not because of their inputs, until the runtime's inference agrees with the runs. */
async function correctAll(
  proto: ModelProto,
  graph: Graph,
  asked: readonly Value[],
  facts: Facts,
): Promise<Correction[]> {
  const corrections: Correction[] = [];
  const corrected = new Set<Value>();
  for (;;) {
    const wrong = new Set(
      asked.filter((value) => !corrected.has(value) && isWrong(value.shape, facts.observed(value))),
    );
    const reads = (value: Value) => [...(value.producer?.inputs ?? []), ...(value.producer?.captures ?? [])];
    const sources = [...wrong].filter((value) => !reads(value).some((read) => read && wrong.has(facts.root(read))));
    if (sources.length === 0) return corrections;
    for (const value of sources) {
      corrected.add(value);
      const correction = correct(graph, value, facts.observed(value) ?? []);
      facts.set(correction.output, correction.dims);
      corrections.push(correction);
    }
    await inferClaims(proto, graph);
  }
}

function isWrong(claim: Shape, fact: Shape): boolean {
  if (claim?.length !== fact?.length) return false;
  return claim?.some((dim, i) => typeof dim === 'number' && typeof fact?.[i] === 'number' && fact[i] !== dim) ?? false;
}

interface Correction {
  readonly of: Value;
  readonly output: Value;
  readonly dims: readonly Dim[];
}

const CORRECTION = 'lossgraft/size_of_a_run';

/** The value itself, or the node that states its size to the runtime. */
export function ofStatedSize(value: Value): Value {
  const stating = [...value.uses].find(({ opType, name }) => opType === 'Reshape' && name.startsWith(CORRECTION));
  return stating?.outputs[0] ?? value;
}

/** A Reshape to the size that a value already has, unknown to ONNX Runtime; the value's readers read it. */
function correct(graph: Graph, value: Value, dims: readonly Dim[]): Correction {
  const name = graph.freshName(CORRECTION);
  const output = graph.define(name, value.dtype, dims);
  const target = graph.define(`${name}/shape`, 'int64', [dims.length]);
  const data = BigInt64Array.from(dims, (dim) => (typeof dim === 'number' ? BigInt(dim) : 0n));
  graph.initializers.set(target, { dtype: 'int64', dims: [dims.length], data });
  graph.replaceUses(value, output);
  graph.after(value.producer, () =>
    graph.addNode({ opType: 'Reshape', name, inputs: [value, target], outputs: [output] }),
  );
  return { of: value, output, dims };
}
