/**
 * `npm run check:cuda-placement -- [MODEL|DIR …] [--provider DIR] [--optimization off|basic|all] [--only REGEXP]`: creates a CUDA session of every graph
 * that lossgraft emits, and of the models given, over the real provider library and stub CUDA libraries, and fails where a node is left
 * to the CPU. Placement only: nothing is computed.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LossgraftError } from '../src/errors.ts';
import { CUDA_LIBRARY } from '../src/runtime/cuda/diagnose.ts';
import { cudaPlacement, type Placement } from '../src/runtime/cuda/placement.ts';
import { setupCuda } from '../src/runtime/cuda/setup.ts';
import { binaryFolder, runtimeFolder } from '../src/runtime/device/isolated.ts';
import { describeNode } from '../src/runtime/device/profile.ts';
import { packageVersion } from '../src/runtime/device/report.ts';
import type { EmittedGraph } from './emitted-graph.ts';
import { emittedGraphs } from './emitted-graphs.ts';
import { stubRuntime } from './stub-runtime.ts';

const LEVELS = { off: 'disabled', basic: 'basic', all: 'all' } as const;

async function* given(paths: readonly string[]): AsyncGenerator<EmittedGraph> {
  for (const path of paths) {
    const folder = (await stat(path)).isDirectory();
    const files = folder ? (await readdir(path, { recursive: true })).filter((name) => name.endsWith('.onnx')) : [''];
    for (const file of files.sort()) yield { name: join(path, file), model: join(path, file) };
  }
}

async function providerFolder(asked: string | undefined): Promise<string> {
  if (asked !== undefined) return asked;
  const beside = binaryFolder(runtimeFolder());
  if (existsSync(join(beside, CUDA_LIBRARY))) return beside;
  const cache = join(
    process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'),
    'lossgraft',
    `cuda-${packageVersion(runtimeFolder())}`,
  );
  return (await setupCuda({ to: cache, log: (line) => console.error(line) })).folder;
}

/** Where the nodes went, or why that cannot be said. */
type Found = Placement | string;

function place(run: Parameters<typeof cudaPlacement>[0]): Promise<Found> {
  return cudaPlacement(run).catch((error: unknown) => {
    if (error instanceof LossgraftError) return error.problem.found;
    throw error;
  });
}

function isClean(found: Found): boolean {
  return typeof found !== 'string' && found.strays.length === 0;
}

/** Whether nothing is on the CPU, or stops the session, but the host's own operators that CUDA lacks. */
function isExcused(found: Found, lacking: readonly string[]): boolean {
  if (lacking.length === 0) return false;
  if (typeof found === 'string') return found.includes('Exception during initialization');
  return found.strays.every(({ op }) => lacking.includes(op));
}

function verdict(name: string, found: Found): string {
  if (typeof found === 'string') return `FAILED  ${name}: ${found}`;
  const { total, shapeNodes, strays } = found;
  const shapes =
    shapeNodes.length === 0 ? '' : `; shape arithmetic on the CPU: ${shapeNodes.map(describeNode).join(', ')}`;
  return strays.length === 0
    ? `ok      ${name}: ${total} nodes${shapes}`
    : `ON CPU  ${name}: ${strays.map(describeNode).join(', ')} of ${total} nodes${shapes}`;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      provider: { type: 'string' },
      optimization: { type: 'string', default: 'all' },
      only: { type: 'string' },
    },
    allowPositionals: true,
  });
  const level = Object.entries(LEVELS).find(([name]) => name === values.optimization)?.[1];
  if (level === undefined) throw badLevel(values.optimization);
  const work = await mkdtemp(join(tmpdir(), 'lossgraft-placement-'));
  try {
    const stubbed = await stubRuntime(await providerFolder(values.provider), work);
    const root = join(dirname(fileURLToPath(import.meta.url)), '..');
    const tally = { graphs: 0, nodes: 0, withShapes: 0, lacking: 0, failed: 0 };
    const check = async ({ name, model, parts, lacking = [] }: EmittedGraph): Promise<void> => {
      const found = await place({ model, optimization: level, ...stubbed });
      if (parts && !isClean(found)) {
        for (const part of parts) await check(part);
        return;
      }
      tally.graphs += parts?.length ?? 1;
      if (typeof found !== 'string') {
        tally.nodes += found.total;
        if (found.shapeNodes.length > 0) tally.withShapes++;
      }
      if (isClean(found)) console.log(verdict(name, found));
      else if (isExcused(found, lacking)) {
        tally.lacking++;
        console.log(`host    ${name}: CUDA lacks ${lacking.join(', ')}`);
      } else {
        tally.failed++;
        console.log(verdict(name, found));
      }
    };
    const wanted = new RegExp(values.only ?? '');
    for await (const graph of chain(emittedGraphs(root), given(positionals)))
      if (wanted.test(graph.name)) await check(graph);
    const { graphs: count, nodes, withShapes, lacking, failed } = tally;
    console.log(
      `${count} graphs, ${nodes} nodes, ${failed} not wholly on CUDA, ${lacking} with an operator of the host that CUDA lacks, ` +
        `shape arithmetic on the CPU in ${withShapes} sessions; ` +
        `onnxruntime-node ${packageVersion(runtimeFolder())}, optimization ${values.optimization}. Placement only, over stub ` +
        'CUDA libraries: nothing was computed and no GPU was used.',
    );
    return failed === 0 && count > 0 ? 0 : 1;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function* chain(...sources: AsyncGenerator<EmittedGraph>[]): AsyncGenerator<EmittedGraph> {
  for (const source of sources) yield* source;
}

function badLevel(found: string): LossgraftError {
  const hint = 'Leave it out for all';
  return new LossgraftError({
    code: 'bad-option',
    where: '--optimization',
    expected: 'off, basic or all',
    found,
    hint,
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof LossgraftError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}
