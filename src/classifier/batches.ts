import { LossgraftError } from '../errors.ts';

const DEFAULT_BATCH = 256;

/** Samples per run of a model. @throws LossgraftError `batch-size` for another one than the model fixes. */
export function chooseBatch(
  fixed: number | undefined,
  asked: number | undefined,
  samples: number,
  hint = 'Leave the option out',
): number {
  if (fixed === undefined || asked === undefined || asked === fixed)
    return fixed ?? Math.min(asked ?? DEFAULT_BATCH, samples);
  throw new LossgraftError({
    code: 'batch-size',
    where: 'option batchSize',
    expected: `${fixed}, the fixed batch size of this model`,
    found: String(asked),
    hint,
  });
}

/** What is to be known of a last batch that does not fill a fixed one. */
export function fillNote(samples: number, fixed: number | undefined): string[] {
  const rest = fixed === undefined ? 0 : samples % fixed;
  if (rest === 0) return [];
  return [
    `The last batch holds ${rest} of ${fixed} samples: it was filled with repeats of its last row, whose results are left out`,
  ];
}
