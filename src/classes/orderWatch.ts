import { toNumbers } from '../numbers.ts';
import type { Port } from '../runtime/session.ts';
import type { Tensor } from '../tensor.ts';
import { gatherEvidence, orderNote } from './evidence.ts';
import { findWrongOrder } from './order.ts';
import { type CalledClasses, orderProblem } from './orderProblem.ts';

/** Checks, while a model runs, whether labels are its classes. */
export interface OrderWatch {
  /** The output with the model's scores; undefined if that is unclear. */
  readonly fetches: readonly string[];
  add(labels: Tensor['data'] | undefined, count: number, results: Readonly<Record<string, Tensor>>): void;
  /** What the user should know. */
  notes(called: CalledClasses): string[];
}

/**
 * @param classes how many the model distinguishes.
 * @param binary for a head with one logit per sample: the name of the logits, whether a sigmoid follows, and lossgraft's own outputs.
 */
export function orderWatch(
  outputs: readonly Port[],
  classes = 0,
  binary?: { readonly logits: string; readonly hasSigmoid: boolean; readonly own: readonly string[] },
): OrderWatch {
  const isOne = (shape: Port['shape'] = []): boolean => shape.length > 0 && shape.slice(1).every((dim) => dim === 1);
  const fits = outputs.filter(({ name, dtype, shape = [] }) => {
    if (dtype !== 'float32') return false;
    if (shape.length === 2 && shape[1] === classes) return true;
    return binary !== undefined && !binary.own.includes(name) && isOne(shape);
  });
  const [scores] = fits;
  if (scores === undefined || fits.length > 1 || classes < 2) {
    return { fetches: [], add() {}, notes: () => [] };
  }
  const evidence = gatherEvidence(classes);
  const areLogits = scores.name === binary?.logits || binary?.hasSigmoid === false;
  return {
    fetches: [scores.name],
    add: (labels, count, results) => {
      const tensor = results[scores.name];
      if (tensor === undefined || !(labels instanceof BigInt64Array)) return;
      const given = toNumbers(tensor);
      const numbers = isOne(scores.shape) ? twoClasses(given, areLogits) : given;
      for (let i = 0; i < count; i++) evidence.add(Number(labels[i]), numbers, i * classes);
    },
    notes: (called) => {
      const wrong = findWrongOrder(evidence);
      const partial = orderNote(classes);
      return [
        ...(partial === undefined ? [] : [partial]),
        ...(wrong === undefined
          ? []
          : [`THE LABELS SEEM WRONG, and so are all losses: ${orderProblem(wrong, called).message}`]),
      ];
    },
  };
}

/** [0, z] for logits z, [1 − p, p] for probabilities p, in rows. */
function twoClasses(scores: readonly number[], areLogits: boolean): number[] {
  return scores.flatMap((score) => (areLogits ? [0, score] : [1 - score, score]));
}
