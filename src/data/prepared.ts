import type { Port } from '../runtime/feeds.ts';
import type { Dataset } from './dataset.ts';
import type { Preparation } from './tables/preparation.ts';

/**
 * Data whose columns are those of a model's inputs: a table's cells become numbers; other data stay as they are.
 *
 * @param fitted as training rows had it; without it the width of the inputs tells.
 * @throws LossgraftError as `TableCells.prepare` does.
 */
export function preparedFor(data: Dataset, inputs: readonly Port[], fitted?: Preparation): Dataset {
  const { table, ...rest } = data;
  if (table === undefined) return data;
  const { columns, unnamed, notes } = table.prepare(inputs, fitted);
  return {
    ...rest,
    columns: new Map([...data.columns, ...columns]),
    unnamed,
    notes: [...(data.notes ?? []), ...notes],
  };
}
