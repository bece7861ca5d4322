import { int, ints } from '../ir/attributes.ts';
import { Graph, type Value } from '../ir/graph.ts';
import type { Shape } from '../tensor.ts';
import type { Calls, Emitter, ScanOptions, ScanStep, WriteScanStep } from './types.ts';

interface Place {
  readonly base: Calls;
  readonly graph: Graph;
  /** A pen that writes in a body. */
  readonly within: (body: Graph) => Emitter;
}

interface ScanCall extends ScanOptions {
  readonly initial: readonly Value[];
  readonly sequences: readonly Value[];
  readonly write: WriteScanStep<Emitter>;
}

export function scan(place: Place, { initial, sequences, write, reverse = false, directions }: ScanCall): ScanStep {
  const body = new Graph(place.graph);
  const op = place.within(body);
  const port = (label: string, { dtype }: Value, shape: Shape): Value => {
    const value = body.define(body.freshName(`lossgraft/scan/${label}`), dtype, shape);
    body.inputs.push(value);
    return value;
  };
  const states = initial.map((value) => port('state', value, value.shape));
  const elements = sequences.map((value) => port('element', value, value.shape?.slice(1)));
  const step = write(op, states, elements);
  const seen = new Set<Value>();
  const given = [...step.states, ...step.outputs].map((value) => ownOutput(op, value, seen));
  body.outputs.push(...given);
  const length = sequences[0]?.shape?.[0];
  const outputs = given.map(({ dtype, shape }, i) => ({
    dtype,
    shape: i < initial.length ? initial[i]?.shape : shape && [length, ...shape],
  }));
  const all = (count: number) => new Array<number>(count).fill(Number(reverse));
  const { inputs: into = all(sequences.length), outputs: out = all(step.outputs.length) } = directions ?? {};
  const values = place.base.callAll('Scan', [...initial, ...sequences], outputs, {
    bodies: { body },
    attributes: {
      num_scan_inputs: int(sequences.length),
      ...(into.includes(1) ? { scan_input_directions: ints(into) } : {}),
      ...(out.includes(1) ? { scan_output_directions: ints(out) } : {}),
    },
  });
  return { states: values.slice(0, initial.length), outputs: values.slice(initial.length) };
}

/** Each output of a body must be a distinct value that the body computes; others are copied by an Identity. */
export function ownOutput(op: Emitter, value: Value, seen: Set<Value>): Value {
  const isOwn = op.graph.values.get(value.name) === value && value.producer !== undefined && !seen.has(value);
  seen.add(value);
  return isOwn ? value : op.identity(value);
}
