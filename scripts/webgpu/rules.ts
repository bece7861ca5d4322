import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ProfiledNode, readProfile } from '../../src/runtime/device/profile.ts';
import { openSession } from '../../src/runtime/session.ts';
import { straysIn } from '../../src/runtime/webgpu/proof.ts';
import type { Tensor } from '../../src/tensor.ts';
import {
  buildGradientCase,
  type GradientCase,
  type GradientGraph,
  gradientCases,
  gradientFamilies,
  gradientProblem,
} from '../../test/support/gradientCases.ts';
import { modelBytes } from '../../test/support/scratch.ts';
import { merged } from '../emitted-rules.ts';
import type { Finding } from './finding.ts';

/** So many cases share a session: each has shaders of its own, and what they share is compiled once. */
const TOGETHER = 40;

interface BuiltCase {
  readonly name: string;
  readonly test: GradientCase;
  readonly built: GradientGraph;
}

/** Every gradient rule's case on WebGPU, with known and with symbolic sizes: what ran where, and how far it is from float64. */
export async function* checkRules(only: RegExp): AsyncGenerator<Finding> {
  for (const family of gradientFamilies()) {
    const groups = new Map<number, BuiltCase[]>();
    for (const test of gradientCases(family)) {
      for (const symbolic of [undefined, ...(test.symbolic ?? (['all'] as const)).slice(0, 1)]) {
        const name = `${family} ${test.op} opset ${test.opset}: ${test.name}${symbolic ? `, symbolic: ${symbolic}` : ''}`;
        if (!only.test(name)) continue;
        const built = await buildGradientCase(test, { symbolic, replacesForward: true, target: 'webgpu' });
        const key = built.graph.nodes.some(({ bodies }) => bodies.size > 0) ? -groups.size - 1 : test.opset;
        groups.set(key, [...(groups.get(key) ?? []), { name, test, built }]);
      }
    }
    for (const cases of groups.values()) {
      for (let first = 0; first < cases.length; first += TOGETHER) yield* check(cases.slice(first, first + TOGETHER));
    }
  }
}

/** Together; one by one where the session of all fails. */
async function* check(cases: readonly BuiltCase[]): AsyncGenerator<Finding> {
  try {
    yield* await run(cases);
  } catch (error) {
    const [one, ...others] = cases;
    if (!one) return;
    if (others.length === 0)
      yield { name: one.name, problem: `throws: ${error instanceof Error ? error.message : error}` };
    else for (const half of [cases.slice(0, cases.length / 2), cases.slice(cases.length / 2)]) yield* check(half);
  }
}

async function run(cases: readonly BuiltCase[]): Promise<Finding[]> {
  const [first] = cases;
  if (!first) return [];
  const isOne = cases.length === 1;
  const prefix = (i: number): string => (isOne ? '' : `${i}/`);
  const graph = isOne ? first.built.graph : merged(cases.map(({ built }) => built.graph));
  const feeds: Record<string, Tensor> = {};
  for (const [i, { built }] of cases.entries()) {
    const inputs = new Set(built.graph.inputs.map(({ name }) => name));
    for (const [name, tensor] of Object.entries(built.feeds))
      if (inputs.has(name)) feeds[`${prefix(i)}${name}`] = tensor;
  }
  const folder = await mkdtemp(join(tmpdir(), 'lossgraft-'));
  const session = await openSession(modelBytes(graph, first.test.opset), {
    provider: 'webgpu',
    profile: join(folder, 'rules'),
    name: isOne ? first.name : `${cases.length} cases from ${first.name}`,
  });
  try {
    const results = await session.run(feeds);
    const nodes = await readProfile(await session.endProfiling());
    return cases.map((each, i) => judge(each, prefix(i), results, nodes));
  } finally {
    await session.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function judge(
  { name, test }: BuiltCase,
  prefix: string,
  results: Readonly<Record<string, Tensor>>,
  nodes: readonly ProfiledNode[],
): Finding {
  const own = nodes.filter((node) => prefix === '' || node.name.startsWith(prefix));
  const strays = straysIn(own);
  if (strays.length > 0) return { name, problem: `on the CPU: ${[...new Set(strays.map(({ op }) => op))].join(', ')}` };
  const problem = gradientProblem(test, results, prefix);
  return problem === undefined ? { name } : { name, problem };
}
