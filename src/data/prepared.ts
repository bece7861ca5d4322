import type { Port } from '../runtime/feeds.ts';
import type { Dataset } from './dataset.ts';
import type { Preparation } from './tables/preparation.ts';

/**
 * Data with the columns of a model's inputs: a table's cells become numbers; other data stay as they are.
 *
 * @param fitted the preparation that training fitted; without it the width of the inputs decides.
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
