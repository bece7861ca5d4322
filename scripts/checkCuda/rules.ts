import { join } from 'node:path';
import { toNumbers } from '../../src/numbers.ts';
import { openSession } from '../../src/runtime/session.ts';
import {
  buildGradientCase,
  type GradientCase,
  gradientCases,
  gradientFamilies,
  worstRatio,
} from '../../test/support/gradientCases.ts';
import { modelBytes } from '../../test/support/scratch.ts';
import { hasBodies, lacks } from '../cudaCases.ts';
import { Collector, type Item, shareOf } from './collector.ts';
import type { PartContext } from './context.ts';

/** Of the largest expected gradient: float32 on a GPU adds up in another order than PyTorch's float64. */
const RTOL = 1e-4;
const ATOL = 1e-6;

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
    const results = await session.run(feeds);
    const [rtol, atol] = [Math.max(RTOL, c.rtol ?? 0), Math.max(ATOL, c.atol ?? 0)];
    const ratios = Object.entries(c.grads).map(([name, expected]) => {
      const found = results[`${name}.grad`];
      return { name, ratio: worstRatio(found ? toNumbers(found) : [], expected, rtol, atol) };
    });
    const worst = ratios.reduce((a, b) => (b.ratio > a.ratio ? b : a), { name: '', ratio: 0 });
    if (worst.ratio <= 1) return {};
    return {
      failure: `gradient of ${worst.name} is ${(worst.ratio * rtol).toExponential(1)} off, relative to its largest element`,
    };
  } finally {
    await session.close();
  }
}
