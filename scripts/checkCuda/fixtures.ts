import { join } from 'node:path';
import { validate } from '../../src/index.ts';
import { findCases } from '../../src/validate/findCases.ts';
import { Collector, shareOf } from './collector.ts';
import type { PartContext } from './context.ts';

/** The cases of fixtures/cases, as `lossgraft validate` runs them. */
export async function checkFixtures(context: PartContext): Promise<void> {
  const { provider, root, share, until, out } = context;
  const folders = shareOf(findCases([join(root, 'fixtures/cases')]), share);
  const collector = new Collector(out, folders.length, until);
  await collector.each(
    folders,
    (folder) => folder.slice(root.length + 1),
    async (folder) => {
      const { cases } = await validate([folder], { provider });
      const bad = cases.find(({ verdict }) => verdict === 'fail');
      if (bad === undefined) return {};
      const outputs = bad.outputs.filter(({ verdict }) => verdict === 'fail');
      const shown = outputs
        .map(({ output, errors }) => `${output} ${errors?.maxRel.toExponential(1) ?? '?'} off`)
        .join(', ');
      return { failure: bad.error ?? shown };
    },
  );
}
