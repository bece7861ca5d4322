import { createEmitter, type Emitter } from '../emit/index.ts';
import { ownOutput } from '../emit/scan.ts';
import { unsupported } from '../emit/unsupported.ts';
import { int, ints } from '../ir/attributes.ts';
import { copyBody } from '../ir/bodies.ts';
import { Graph, type Node, type Value } from '../ir/graph.ts';
import { toNumbers } from '../numbers.ts';
import { isFloat, type Tensor } from '../tensor.ts';
import { refuseGrowing, type Steps, stepsOf } from './bodySteps.ts';
import { prune } from './prune.ts';

/** Reads constants; its other members are passed on. */
interface Options {
  readonly constant: (value: Value) => readonly number[] | undefined;
}

type Seeds = readonly (readonly [Value, Value])[];

/** The gradients of `wrt` that flow from `seeds` through the nodes of the pen's graph. */
export type Backpropagate<O extends Options> = (
  op: Emitter,
  seeds: Seeds,
  wrt: readonly Value[],
  options: O,
) => ReadonlyMap<Value, Value>;

/** A node with bodies, and the gradients of its outputs. */
export interface BodyContext<O extends Options> {
  readonly op: Emitter;
  readonly node: Node;
  /** Whether an input needs a gradient. */
  readonly needed: readonly boolean[];
  /** Outer values that need one. */
  readonly captured: readonly Value[];
  readonly flow: (i: number) => Value | undefined;
  readonly replaces: (i: number, value: Value) => void;
  readonly options: O;
  readonly backpropagate: Backpropagate<O>;
}

/**
 * Gradients of an If, Loop or Scan: of its inputs and of the outer values its bodies read. The gradient's bodies run the original bodies
 * again, followed by their gradients. A Loop or a Scan outputs the states before each step, and a Scan steps backwards from these.
 *
 * @throws LossgraftError `gradient-form` for a body that cannot be differentiated.
 */
export function bodyGradients<O extends Options>(context: BodyContext<O>): Seeds {
  return context.node.opType === 'If' ? ifGradients(context) : stepGradients(context);
}

function ifGradients<O extends Options>(context: BodyContext<O>): Seeds {
  const { op, node, captured, flow, options, backpropagate } = context;
  const branches = [...node.bodies].map(([name, branch]) => {
    const body = new Graph(op.graph);
    const pen = createEmitter(body, op.opset);
    const copy = copyBody(branch, body, new Map());
    const seeds = branch.outputs.flatMap((output, i) => {
      const dy = flow(i);
      return dy ? [[copy(output), dy] as const] : [];
    });
    const gradients = backpropagate(pen, seeds, captured, within(body, options));
    const seen = new Set<Value>();
    for (const value of captured) {
      const gradient = gradients.get(value) ?? pen.zerosLike(value);
      [gradient.dtype, gradient.shape] = [value.dtype, value.shape];
      body.outputs.push(ownOutput(pen, gradient, seen));
    }
    prune(body, { all: true });
    return [name, body] as const;
  });
  const outputs = captured.map(({ dtype, shape }) => ({ dtype, shape }));
  const values = op.callAll('If', node.inputs, outputs, { bodies: Object.fromEntries(branches) });
  return captured.map((value, i) => [value, values[i] ?? value] as const);
}

function stepGradients<O extends Options>(context: BodyContext<O>): Seeds {
  const { op, node, needed, captured } = context;
  const steps = stepsOf(node);
  refuseGrowing(node, steps);
  const before = op.graph.before(node, () => forwardSteps(context, steps));
  const { states, elements, first } = steps;
  const result = backwardSteps(context, steps, before);
  const moving = states.flatMap((state, k) => (isFloat(state.dtype) ? [k] : []));
  const found: (readonly [Value, Value])[] = [];
  for (const [j, k] of moving.entries()) {
    const [input, gradient] = [node.inputs[first + k], result.states[j]];
    if (input && gradient && needed[first + k]) found.push([input, gradient]);
  }
  for (const [j, value] of captured.entries()) {
    const sum = result.states[moving.length + j];
    if (sum) found.push([value, sum]);
  }
  const wanted = elements.flatMap((_, k) => (needed[first + states.length + k] ? [k] : []));
  for (const [j, k] of wanted.entries()) {
    const [input, gradient] = [node.inputs[first + states.length + k], result.outputs[j]];
    if (input && gradient) found.push([input, gradient]);
  }
  return found;
}

/** The node again, with the states before each step as further outputs. */
function forwardSteps<O extends Options>({ op, node, replaces }: BodyContext<O>, steps: Steps): readonly Value[] {
  const body = new Graph(op.graph);
  const pen = createEmitter(body, op.opset);
  const ports = new Map<Value, Value>();
  for (const input of steps.body.inputs) {
    const port = body.define(body.freshName(input.name), input.dtype, input.shape);
    body.inputs.push(port);
    ports.set(input, port);
  }
  const copy = copyBody(steps.body, body, ports);
  const seen = new Set<Value>();
  const kept = steps.states.map((state) => ownOutput(pen, copy(state), seen));
  body.outputs.push(...steps.body.outputs.map((value) => ownOutput(pen, copy(value), seen)), ...kept);
  const like = (value: Value | undefined) => ({ dtype: value?.dtype, shape: value?.shape });
  const given = [...steps.nexts, ...steps.given];
  const outputs = [
    ...node.outputs.map(like),
    ...given.slice(node.outputs.length).map(() => ({})),
    ...steps.states.map(({ dtype, shape }) => ({ dtype, shape: shape && [undefined, ...shape] })),
  ];
  const directions = [...steps.outputDirections, ...steps.states.map(() => 0)];
  const isScan = node.opType === 'Scan';
  const attributes = {
    ...(isScan ? { num_scan_inputs: int(steps.elements.length) } : {}),
    ...(steps.inputDirections.includes(1) ? { scan_input_directions: ints(steps.inputDirections) } : {}),
    ...(directions.includes(1) ? { scan_output_directions: ints(directions) } : {}),
  };
  const values = op.callAll(node.opType, node.inputs, outputs, { attributes, bodies: { body } });
  for (const i of node.outputs.keys()) if (values[i]) replaces(i, values[i]);
  return values.slice(given.length);
}

function backwardSteps<O extends Options>(
  { op, node, needed, captured, flow, options, backpropagate }: BodyContext<O>,
  steps: Steps,
  before: readonly Value[],
) {
  const { states, nexts, elements, given, first, body, iteration, condition } = steps;
  const moving = states.flatMap((state, k) => (isFloat(state.dtype) ? [k] : []));
  const initial = moving.map((k) => {
    const start = node.inputs[first + k];
    return flow(k) ?? (start ? op.zerosLike(start) : op.scalar(0, 'float32'));
  });
  const flowing = given.flatMap((_, k) => (flow(nexts.length + k) ? [k] : []));
  const sequences = node.inputs.slice(first + states.length).filter((value) => value !== undefined);
  const dys = flowing.flatMap((k) => flow(nexts.length + k) ?? []);
  const numbers = iteration ? [iterations(op, node, before, dys)] : [];
  const wanted = elements.flatMap((_, k) => (needed[first + states.length + k] ? [k] : []));
  const back = (directions: readonly number[]): number[] => directions.map((direction) => 1 - direction);
  const write = (pen: Emitter, adjoints: readonly Value[], slices: readonly Value[]) => {
    const own = slices.slice(0, states.length);
    const taken = slices.slice(states.length, states.length + elements.length);
    const ports = new Map<Value, Value>();
    for (const [k, state] of states.entries()) if (own[k]) ports.set(state, own[k]);
    for (const [k, element] of elements.entries()) if (taken[k]) ports.set(element, taken[k]);
    if (iteration && slices.at(-1)) ports.set(iteration, slices.at(-1) as Value);
    if (condition) ports.set(condition, pen.constant(TRUE));
    const copy = copyBody(body, pen.graph, ports);
    const flows = slices.slice(states.length + elements.length);
    const seeds = [
      ...moving.flatMap((k, j) => (nexts[k] && adjoints[j] ? [[copy(nexts[k]), adjoints[j]] as const] : [])),
      ...flowing.flatMap((k, j) => (given[k] && flows[j] ? [[copy(given[k]), flows[j]] as const] : [])),
    ];
    const ends = moving.flatMap((k) => own[k] ?? []);
    const reads = wanted.flatMap((k) => taken[k] ?? []);
    const found = backpropagate(pen, seeds, [...ends, ...reads, ...captured], within(pen.graph, options));
    const gradientOf = (value: Value): Value => found.get(value) ?? pen.zerosLike(value);
    const sums = captured.map((value, j) => {
      const [sum, gradient] = [adjoints[moving.length + j], found.get(value)];
      return sum && gradient ? like(pen.add(sum, gradient), value) : (sum ?? gradientOf(value));
    });
    return { states: [...ends.map(gradientOf), ...sums], outputs: reads.map(gradientOf) };
  };
  const step = op.scan(
    [...initial, ...captured.map((value) => op.zerosLike(value))],
    [...before, ...sequences, ...dys, ...numbers],
    (pen, adjoints, slices) => {
      const written = write(pen, adjoints, slices);
      return written;
    },
    {
      directions: {
        inputs: [
          ...before.map(() => 1),
          ...back(steps.inputDirections),
          ...back(flowing.map((k) => steps.outputDirections[k] ?? 0)),
          ...numbers.map(() => 1),
        ],
        outputs: wanted.map((k) => 1 - (steps.inputDirections[k] ?? 0)),
      },
    },
  );
  return step;
}

const TRUE: Tensor = { dtype: 'bool', dims: [], data: Uint8Array.of(1) };

function like(value: Value, other: Value): Value {
  [value.dtype, value.shape] = [other.dtype, other.shape];
  return value;
}

/** 0, 1, …, one for each step the Loop took, counted from its per-step outputs. */
function iterations(op: Emitter, node: Node, before: readonly Value[], dys: readonly Value[]): Value {
  const [sequence] = [...before, ...dys];
  if (!sequence) throw unsupported(node, 'states, or outputs of each step', 'neither');
  const count = op.squeeze(op.gather(op.shapeOf(sequence), op.vector([0])), [0]);
  return op.call('Range', [op.scalar(0, 'int64'), count, op.scalar(1, 'int64')], { shape: [undefined] });
}

/** Constants of a body and its surroundings. */
function within<O extends Options>(body: Graph, options: O): O {
  const constant = (value: Value): readonly number[] | undefined => {
    if (body.values.get(value.name) !== value) return options.constant(value);
    const source = body.initializers.get(value);
    if (source && 'data' in source) return toNumbers(source);
    const { producer } = value;
    if (producer?.opType === 'Identity') return producer.inputs[0] && constant(producer.inputs[0]);
    if (producer?.opType !== 'Constant') return undefined;
    const [held] = producer.attributes.values();
    if (held?.type === 'tensor' && 'data' in held.value) return toNumbers(held.value);
    if (held?.type === 'int' || held?.type === 'float') return [Number(held.value)];
    return held?.type === 'ints' || held?.type === 'floats' ? Array.from(held.value, Number) : undefined;
  };
  return { ...options, constant };
}
