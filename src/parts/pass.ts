import type { Provider } from '../runtime/session.ts';
import type { Tensor } from '../tensor.ts';
import type { RowRange } from './plan.ts';

export type Tensors = Readonly<Record<string, Tensor>>;

/** A way through rows, batch by batch: all of them, some of them, or those that others went through. */
export interface Pass {
  /** Who computed, if that was done elsewhere. */
  readonly provider?: Provider;
  /** The rows to go through. */
  rows(total: number, batchSize: number): RowRange;
  /** The tensors of a batch. `live` computes them. */
  through(start: number, count: number, live: () => Promise<Tensors>): Promise<Tensors>;
}

/** All rows, here and now. */
export const WHOLE_PASS: Pass = {
  rows: (total) => ({ first: 0, last: total }),
  through: (_start, _count, live) => live(),
};
