/**
 * Everything that docs/internals/performance.md shows of speed and memory, measured on this machine. PyTorch and lossgraft take turns, each in
 * processes of their own, with the same threads; medians, and quartiles in brackets.
 *
 *   npm run bench -- --python PYTHON             all rows (about 10 minutes), into bench/results.json and docs/internals/performance.md
 *   npm run bench -- --python PYTHON --works mlp,ib-loss     these rows alone; the others stay
 *   npm run bench -- --python PYTHON --works ''              none: the page is written anew from what is kept
 *   npm run bench -- --python PYTHON --lower off             plain forms, against limits of their own
 *   npx tsx bench/run.ts --python PYTHON ...     the same, and nothing is written
 *
 * PYTHON has fixtures/pytorch/requirements.txt. --threads 2, --rounds 6 (steps in a turn), --turns 3, --batch N, --models FOLDER (made
 * there once; 0.6 GB). A row that fails is named, and the others go on. Exit 1 where one fails or a limit is missed.
 */
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { blocked, expansions } from '../graphs/index.ts';
import { machineLowering } from '../src/lower/machine.ts';
import { runtimeVersion } from '../src/runtime/session.ts';
import { build } from './build.ts';
import { sectionsOf, writeAll } from './page.ts';
import { lastLine } from './processes.ts';
import { type Machine, readResults } from './results.ts';
import { printSection, type Section, type Settings } from './section.ts';

const { values: options } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    works: { type: 'string' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '6' },
    turns: { type: 'string', default: '3' },
    lower: { type: 'string', default: 'auto' },
    batch: { type: 'string' },
    models: { type: 'string', default: join(tmpdir(), 'lossgraft-bench-models') },
    write: { type: 'boolean', default: false },
  },
});
const settings: Settings = {
  build: await build(),
  python: options.python,
  threads: Number(options.threads),
  rounds: Number(options.rounds),
  turns: Number(options.turns),
  models: options.models,
  batch: options.batch === undefined ? undefined : Number(options.batch),
};
try {
  await main();
} finally {
  settings.build.remove();
}

async function main(): Promise<void> {
  const { lower } = options;
  if (lower !== 'auto' && lower !== 'off') throw new Error(`--lower expects auto or off, found ${lower}`);
  if (options.write && settings.batch !== undefined) throw new Error('--batch is for a look: it is not written');
  const results = readResults(await thisMachine());
  const all = sectionsOf(results, settings);
  const sections = all.filter(({ isPlain }) => isPlain === (lower === 'off'));
  const asked = namesOf(sections);
  if (options.write) writeAll(results, all);
  const failed: string[] = [];
  for (const section of sections) {
    for (const name of section.names.filter((own) => asked.has(own))) {
      const wrong = await measured(section, name);
      failed.push(...wrong.map((what) => `${name}: ${what}`));
      if (options.write) writeAll(results, all);
    }
    printSection(section, asked);
  }
  for (const what of failed) console.log(what);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

/** What is wrong with a row: that it failed, or the limits that it misses. */
async function measured(section: Section, name: string): Promise<readonly string[]> {
  const begin = performance.now();
  try {
    await section.measure(name);
    console.error(`${name}: measured in ${((performance.now() - begin) / 1000).toFixed(0)} s`);
    return section.missed(name);
  } catch (error) {
    return [`failed: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function namesOf(sections: readonly Section[]): ReadonlySet<string> {
  const all = sections.flatMap(({ names }) => names);
  const asked = options.works?.split(',').filter((name) => name !== '') ?? all;
  const unknown = asked.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`--works expects some of ${all.join(', ')}, found ${unknown}`);
  return new Set(asked);
}

async function thisMachine(): Promise<Machine> {
  const { block } = await machineLowering({ expansions, blocked });
  return {
    cpu: cpus()[0]?.model ?? process.arch,
    cores: `${availableParallelism()}`,
    threads: options.threads,
    block: `${block}`,
    node: process.versions.node,
    'onnxruntime-node': runtimeVersion,
    torch: await lastLine(settings.python, ['-c', 'import torch; print(torch.__version__)']),
  };
}
