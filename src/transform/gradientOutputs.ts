import { LossgraftError } from '../errors.ts';
import type { Value } from '../ir/graph.ts';
import { type Expansions, expand } from '../lower/expand.ts';
import type { BlockedRules } from '../lower/lower.ts';
import type { ConstantReader } from './constantValues.ts';
import { differentiate, type GradientRules } from './differentiate.ts';
import type { Grafted } from './graft.ts';
import { addNamedOutputs } from './outputs.ts';
import { findParameters } from './parameters.ts';
import { prune } from './prune.ts';

/** The catalogue's part in a backward pass. */
export interface Calculus {
  readonly gradients: GradientRules;
  readonly expansions: Expansions;
  /** The same for WebGPU; see {@link expandFor}. */
  readonly webgpuExpansions: Expansions;
  /** For lossgraft's own session on the CPU; see {@link lower}. */
  readonly blocked: BlockedRules;
}

/**
 * Adds the gradients of the loss as outputs `<tensor>.grad`.
 *
 * @param asked `logits`, `features`, `parameters`, or names of tensors.
 * @returns the new outputs.
 * @throws LossgraftError if a tensor is unknown, or the loss does not depend on it.
 */
export function addGradientOutputs(
  grafted: Grafted,
  asked: readonly string[],
  { gradients: rules, expansions }: Calculus,
  constant: ConstantReader,
): Value[] {
  const { op, loss } = grafted;
  const { graph } = op;
  const wrt = [...new Set(asked.flatMap((name) => tensorsNamed(grafted, name)))];
  const gradients = differentiate(op, loss, wrt, { rules, constant });
  const first = graph.outputs.length;
  for (const value of wrt) {
    const gradient = gradients.get(value);
    if (!gradient && asked.includes(value.name)) throw unreached(value);
    if (gradient) graph.outputs.push(gradient);
  }
  expand(op, expansions);
  const sources = graph.outputs.splice(first);
  const reached = wrt.filter((value) => gradients.has(value));
  addNamedOutputs(
    graph,
    reached.map((like, i) => ({ name: `${like.name}.grad`, source: sources[i] ?? like, like })),
  );
  prune(graph);
  return graph.outputs.slice(first);
}

function tensorsNamed({ op, logits, features }: Grafted, name: string): Value[] {
  if (name === 'logits') return [logits];
  if (name === 'parameters') return findParameters(op.graph).parameters.map(({ value }) => value);
  if (name !== 'features') return [op.graph.value(name, 'option grad')];
  if (features) return [features];
  throw new LossgraftError({
    code: 'unused-option',
    where: 'option grad',
    expected: 'a loss that uses features, for the gradient of the features',
    found: 'one that does not',
    hint: 'Name the tensor, or choose another loss',
  });
}

function unreached(value: Value): LossgraftError {
  return new LossgraftError({
    code: 'no-gradient',
    where: `option grad, tensor "${value.name}"`,
    expected: 'a tensor on which the loss depends',
    found: 'a tensor that the loss does not depend on, or only through operators without a gradient',
    hint: 'Leave it out',
  });
}
