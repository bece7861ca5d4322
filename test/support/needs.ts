import type { TestOptions } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** What is missing here, for the summary at the end of a run (`skips.ts`). */
    needs?: string;
  }
}

/**
 * What tests need beyond Node and npm: `describe(name, needs(hasNumpy, 'NumPy'), …)`. Where it is missing they are skipped, which the run
 * reports at its end; with CI=true that is a failure.
 */
export function needs(isThere: boolean, what: string): TestOptions {
  return isThere ? {} : { skip: true, meta: { needs: what } };
}
