import { LossgraftError } from '../errors.ts';

/** Data that can be read, and have no sample. */
export function noRows(where: string): LossgraftError {
  return new LossgraftError({
    code: 'data-size',
    where,
    expected: 'at least one row',
    found: 'no rows',
    hint: 'The data are empty: check what wrote them',
  });
}
