import { LossgraftError } from '../errors.ts';

/** The error for readable data without a sample. */
export function noRows(where: string): LossgraftError {
  return new LossgraftError({
    code: 'data-size',
    where,
    expected: 'at least one row',
    found: 'no rows',
    hint: 'The data are empty: check what wrote them',
  });
}
