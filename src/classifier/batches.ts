import { LossgraftError } from '../errors.ts';

const DEFAULT_BATCH = 256;

/** Samples per run of a model. @throws LossgraftError `batch-size` if the model fixes another one. */
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

/** The note on a last batch that does not fill a fixed size. */
export function fillNote(samples: number, fixed: number | undefined): string[] {
  const rest = fixed === undefined ? 0 : samples % fixed;
  if (rest === 0) return [];
  return [
    `The last batch holds ${rest} of ${fixed} samples: it was filled with repeats of its last row, whose results are left out`,
  ];
}
