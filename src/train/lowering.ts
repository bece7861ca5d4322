import { LossgraftError } from '../errors.ts';
import { machineLowering } from '../lower/machine.ts';
import type { TrainerRequest } from './request.ts';

export interface SettledLowering {
  /** Channels in a block; `null` for plain forms. */
  readonly lowering: number | null;
  /** What to say of it. */
  readonly note?: string;
}

/**
 * The forms that a run trains in.
 *
 * @param before of a run that goes on: what it began with.
 * @throws LossgraftError `lowering-differs` where this machine's runtime cannot go on as it was begun.
 */
export async function settleLowering(
  { provider, lower = 'auto', first }: TrainerRequest,
  before: number | null | undefined,
): Promise<SettledLowering> {
  if (provider !== 'cpu' || lower === 'off' || before === null) return { lowering: null };
  const { block, why } = await machineLowering(first.calculus);
  if (before !== undefined && before !== block) {
    throw new LossgraftError({
      code: 'lowering-differs',
      where: 'the run that is gone on with',
      expected: `a machine whose runtime has blocks of ${before} channels, as where the run began`,
      found: why,
      hint: 'Go on with it there, or begin a new run here',
    });
  }
  return { lowering: block, ...(block === null ? { note: `Training takes the plain forms: ${why}` } : {}) };
}
