import type { Emitter, Value } from '../emit/index.ts';
import { LossgraftError, option } from '../errors.ts';
import { isView } from '../ir/edit.ts';
import type { Graph, Node } from '../ir/graph.ts';
import { rangeOf } from '../quantisation.ts';
import type { Parameter } from './parameters.ts';
import { isQuantise } from './quantised.ts';

/**
 * The scales by which trained weights are rounded, if nothing else reads them. 4-bit weights keep theirs, since their clipping bounds are
 * constants.
 *
 * @throws LossgraftError `option-needs-option` if there are none.
 */
export function weightScales(graph: Graph, trained: readonly Parameter[]): readonly Parameter[] {
  const found = trained.flatMap(({ value }) =>
    [...value.uses].flatMap((node) => {
      const scale = isQuantise(node) && node.inputs[0] === value ? node.inputs[1] : undefined;
      const source = scale && graph.initializers.get(scale);
      const isOwn = scale && [...scale.uses].every((use) => use === node || use.inputs[0] === node.outputs[0]);
      return scale && source && isView(source) && isOwn ? [{ value: scale, source }] : [];
    }),
  );
  if (found.length > 0) return found;
  throw new LossgraftError({
    code: 'option-needs-option',
    where: `option ${option('learnScales')}`,
    expected: 'trained weights that the file quantises, each with a scale of its own',
    found: 'none',
    hint: 'Leave the option out, or train the quantised layers too',
  });
}

/**
 * The gradient of a rounding by its scale, as in learned step size quantisation (Esser et al., ICLR 2020): for each element round(x/s) − x/s,
 * or the bound at which it was clipped; summed, and divided by √(elements · largest number).
 *
 * @param inRange 1 for elements that were not clipped.
 * @param perElement brings scales into the rank of x.
 */
export function scaleGradient(
  op: Emitter,
  pair: { readonly rounding: Node; readonly x: Value; readonly dy: Value; readonly inRange: Value },
  perElement: (value: Value) => Value,
): Value {
  const { rounding, x, dy, inRange } = pair;
  const [, scale, zero] = rounding.inputs;
  const range = rangeOf(rounding.outputs[0]?.dtype ?? zero?.dtype);
  if (!scale || !range || !x.shape) throw new Error(`${rounding.name}: a QuantizeLinear without a scale or a type`);
  const steps = op.div(x, perElement(scale));
  const offset = zero && perElement(op.cast(zero, 'float32'));
  const rounded = op.call('Round', [steps], { shape: x.shape });
  const shifted = offset ? op.add(rounded, offset) : rounded;
  const cut = op.min(op.max(shifted, range[0]), range[1]);
  const whole = offset ? op.sub(cut, offset) : cut;
  const terms = op.mul(dy, op.sub(whole, op.mul(steps, inRange)));
  const like = perElement(scale);
  const elements = x.shape.reduce<number>((product, dim) => product * Number(dim), 1);
  const scales = (scale.shape ?? []).reduce<number>((product, dim) => product * Number(dim), 1);
  const axes = x.shape.flatMap((_, i) =>
    (like.shape?.length ?? 0) > 0 && like.shape?.[i] !== 1 && scales > 1 ? [] : [i],
  );
  const sum = op.reshape(op.reduceSum(terms, axes), (scale.shape ?? []).map(Number));
  return op.mul(sum, 1 / Math.sqrt((elements / scales) * range[1]));
}
