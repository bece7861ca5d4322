import { toNumbers } from '../numbers.ts';
import type { Port } from '../runtime/session.ts';
import type { Tensor } from '../tensor.ts';
import { gatherEvidence, MAX_ORDERED } from './evidence.ts';
import { findWrongOrder } from './order.ts';
import { type CalledClasses, orderProblem } from './orderProblem.ts';

/** Looks, while a model runs, whether labels are its classes. */
export interface OrderWatch {
  /** The output that has the model's scores; none where that is not plain. */
  readonly fetches: readonly string[];
  add(labels: Tensor['data'] | undefined, count: number, results: Readonly<Record<string, Tensor>>): void;
  /** What the user should know. */
  notes(called: CalledClasses): string[];
}

/** @param classes how many the model tells apart. */
export function orderWatch(outputs: readonly Port[], classes = 0): OrderWatch {
  const fits = outputs.filter(({ dtype, shape }) => dtype === 'float32' && shape?.length === 2 && shape[1] === classes);
  const [scores] = fits;
  if (scores === undefined || fits.length > 1 || classes < 2 || classes > MAX_ORDERED) {
    return { fetches: [], add() {}, notes: () => [] };
  }
  const evidence = gatherEvidence(classes);
  return {
    fetches: [scores.name],
    add: (labels, count, results) => {
      const tensor = results[scores.name];
      if (tensor === undefined || !(labels instanceof BigInt64Array)) return;
      const numbers = toNumbers(tensor);
      for (let i = 0; i < count; i++) evidence.add(Number(labels[i]), numbers, i * classes);
    },
    notes: (called) => {
      const wrong = findWrongOrder(evidence);
      return wrong === undefined
        ? []
        : [`THE LABELS SEEM WRONG, and with them all losses: ${orderProblem(wrong, called).message}`];
    },
  };
}
