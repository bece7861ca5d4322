import { unsupported } from '../emit/unsupported.ts';
import { intsAttribute } from '../ir/attributes.ts';
import type { Graph, Node, Value } from '../ir/graph.ts';

/** How the inputs and outputs of a Loop or a Scan correspond to those of its body. */
export interface Steps {
  readonly body: Graph;
  /** In the body: the states before the step, those for the next one, input elements, and output elements. */
  readonly states: readonly Value[];
  readonly nexts: readonly Value[];
  readonly elements: readonly Value[];
  readonly given: readonly Value[];
  /** The index of the first state among the node's inputs. */
  readonly first: number;
  readonly inputDirections: readonly number[];
  readonly outputDirections: readonly number[];
  readonly iteration: Value | undefined;
  readonly condition: Value | undefined;
}

/** @throws LossgraftError `gradient-form` for a Scan along other axes than the first. */
export function stepsOf(node: Node): Steps {
  const body = node.bodies.get('body');
  if (!body) throw unsupported(node, 'a body', 'none');
  if (node.opType === 'Loop') {
    const [iteration, condition, ...states] = body.inputs;
    const [, ...outputs] = body.outputs;
    const nexts = outputs.slice(0, states.length);
    const given = outputs.slice(states.length);
    const outputDirections = given.map(() => 0);
    return {
      ...{ body, states, nexts, given, elements: [], first: 2, inputDirections: [], outputDirections },
      ...{ iteration, condition },
    };
  }
  const sequences = Number(node.attributes.get('num_scan_inputs')?.value ?? 0);
  const count = body.inputs.length - sequences;
  const given = body.outputs.slice(count);
  const axes = [...(intsAttribute(node, 'scan_input_axes') ?? []), ...(intsAttribute(node, 'scan_output_axes') ?? [])];
  if (axes.some((axis) => axis !== 0))
    throw unsupported(node, 'a Scan along the first axes', `axes ${axes.join(', ')}`);
  return {
    body,
    states: body.inputs.slice(0, count),
    nexts: body.outputs.slice(0, count),
    elements: body.inputs.slice(count),
    given,
    first: 0,
    inputDirections: intsAttribute(node, 'scan_input_directions') ?? new Array<number>(sequences).fill(0),
    outputDirections: intsAttribute(node, 'scan_output_directions') ?? given.map(() => 0),
    iteration: undefined,
    condition: undefined,
  };
}

/** States of all steps are stacked, so they need one size: a growing list is refused. */
export function refuseGrowing(node: Node, { states, nexts }: Steps): void {
  for (const [i, state] of states.entries()) {
    const next = nexts[i];
    if (state.dtype === undefined) throw unsupported(node, 'states that are tensors', `a sequence "${state.name}"`);
    const isGrowing = state.shape?.some((dim, axis) => {
      const after = next?.shape?.[axis];
      return typeof dim === 'number' && typeof after === 'number' && dim !== after;
    });
    if (isGrowing || (state.shape && next?.shape && state.shape.length !== next.shape.length)) {
      throw unsupported(node, 'states that keep their size from step to step', `"${state.name}", which does not`);
    }
  }
}
