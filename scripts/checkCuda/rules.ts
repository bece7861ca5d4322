import { join } from 'node:path';
import { openSession } from '../../src/runtime/session.ts';
import {
  buildGradientCase,
  type GradientCase,
  gradientCases,
  gradientFamilies,
  gradientProblem,
} from '../../test/support/gradientCases.ts';
import { modelBytes } from '../../test/support/scratch.ts';
import { hasBodies, lacks } from '../cudaCases.ts';
import { Collector, type Item, shareOf } from './collector.ts';
import type { PartContext } from './context.ts';

/** Every case of every gradient rule, computed and held against PyTorch's float64 numbers. */
export async function checkRules(context: PartContext): Promise<void> {
  const folder = join(context.root, 'fixtures/gradients');
  const cases = gradientFamilies(folder).flatMap((family) => gradientCases(family, folder));
  // A body's placement is listed by a process of its own: such cases come last.
  const able = cases.filter((c) => !lacks(c));
  const ordered = [
    ...shareOf(
      able.filter((c) => !hasBodies(c)),
      context.share,
    ),
    ...shareOf(able.filter(hasBodies), context.share),
  ];
  const collector = new Collector(context.out, ordered.length, context.until);
  await collector.each(
    ordered,
    ({ op, name }) => `${op}, ${name}`,
    (c) => checkCase(c, context),
  );
}

async function checkCase(c: GradientCase, { provider }: PartContext): Promise<Item> {
  const { graph, feeds } = await buildGradientCase(c, { replacesForward: true });
  const session = await openSession(modelBytes(graph, c.opset), { name: c.name, provider });
  try {
    const failure = gradientProblem(c, await session.run(feeds));
    return failure === undefined ? {} : { failure };
  } finally {
    await session.close();
  }
}
