/**
 * `npm run check:cuda -- [--minutes 8] [--only PART,…] [--page FILE] [--json FILE] [--root REPOSITORY] [--rehearse]`: proves lossgraft on this
 * machine's GPU, part by part, and writes docs/cuda-results.md and its JSON. Without a GPU it rehearses on the CPU, and writes no page.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runtimeFolder } from '../../src/runtime/device/isolated.ts';
import { packageVersion } from '../../src/runtime/device/report.ts';
import { missingTools } from '../cuda-stub.ts';
import type { PartContext } from './context.ts';
import { askMachine, libraryPath } from './machine.ts';
import { pageOf } from './page.ts';
import { PARTS, type Part, REHEARSED } from './parts.ts';
import type { Machine, PartResult } from './result.ts';
import { runPart, skipped } from './runParts.ts';
import { selfCommand } from './self.ts';
import { timeSteps } from './timing.ts';

/** Seconds that are kept for the page and for what ends slowly. */
const RESERVE = 15;
/** Seconds for PyTorch to write the networks. */
const EXPORT_SECONDS = 60;

/** Minutes that the parts' own budgets add up to. With more or fewer, each part gets its share of them. */
const MINUTES = 8;

/** What every part but the doctor reads, in the repository. */
const FIXTURES = ['cases', 'gradients', 'networks'];

/** Whether a file could not be written in the end. */
let isUnsaved = false;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: String(MINUTES) },
    only: { type: 'string' },
    page: { type: 'string' },
    json: { type: 'string' },
    root: { type: 'string', default: process.cwd() },
    rehearse: { type: 'boolean', default: false },
    part: { type: 'string' },
    context: { type: 'string', default: '' },
    time: { type: 'string' },
  },
});

if (values.time !== undefined) await timeSteps(JSON.parse(values.time));
else if (values.part !== undefined) await runOne(values.part, JSON.parse(values.context));
else process.exitCode = await main();

/** Why the check cannot begin with these options. */
function refusal(): string | undefined {
  const { minutes, only, root } = values;
  const number = Number(minutes);
  if (!(number > 0 && Number.isFinite(number)))
    return `--minutes must be a number above 0, such as ${MINUTES}; found "${minutes}"`;
  const names = PARTS.map(({ name }) => name);
  const unknown = only?.split(',').find((name) => !names.includes(name) && name !== REHEARSED.name);
  if (unknown !== undefined)
    return `--only takes parts, separated by commas (${names.join(', ')}; in a rehearsal also ${REHEARSED.name}); found "${unknown}"`;
  const missing = FIXTURES.map((name) => join(resolve(root), 'fixtures', name)).filter((path) => !existsSync(path));
  if (missing.length === 0) return undefined;
  return `expected lossgraft's fixtures, found no ${missing.join(', ')}. Copy fixtures/ from the repository, and pass the folder that holds it as --root`;
}

async function runOne(name: string, context: PartContext): Promise<void> {
  const part = [...PARTS, REHEARSED].find((each) => each.name === name);
  if (!part) throw new Error(`no part ${name}`);
  await part.run(context);
}

async function main(): Promise<number> {
  const why = refusal();
  if (why !== undefined) {
    console.error(`check:cuda: ${why}`);
    return 2;
  }
  const started = Date.now();
  const machine = askMachine(packageVersion(runtimeFolder()));
  const isRehearsal = machine.gpu === null || values.rehearse;
  const work = mkdtempSync(join(tmpdir(), 'lossgraft-check-'));
  try {
    say(
      isRehearsal
        ? `REHEARSAL on the CPU: ${rehearsalReason(machine)}`
        : `${machine.gpu?.name}, driver ${machine.gpu?.driver}`,
    );
    const results = await runAll(machine, {
      work,
      isRehearsal,
      deadline: started + 60_000 * Number(values.minutes) - 1000 * RESERVE,
    });
    return exitCode(results, isRehearsal);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface Setting {
  readonly work: string;
  readonly isRehearsal: boolean;
  readonly deadline: number;
}

async function runAll(machine: Machine, setting: Setting): Promise<readonly PartResult[]> {
  const { work, isRehearsal, deadline } = setting;
  const share = Number(values.minutes) / MINUTES;
  const chosen = partsOf(isRehearsal).map((part) => ({ ...part, budget: part.budget * share }));
  const environment = environmentOf(machine);
  const hasTorch = machine.python.ok && !isRehearsal;
  const exported = hasTorch ? exportNetworks(work, environment) : undefined;
  const context = { provider: isRehearsal ? 'cpu' : 'cuda', root: resolve(values.root), work, hasTorch } as const;
  const results: PartResult[] = [];
  for (const part of chosen) {
    const why = reasonToSkip(part, machine, results, { isRehearsal, exported });
    const command = (_: unknown, { index, out, until }: { index: number; out: string; until: number }): string[] => {
      const own: PartContext = { ...context, out, until, share: { index, count: part.processes } };
      return selfCommand(['--part', part.name, '--context', JSON.stringify(own)]);
    };
    const result =
      why === undefined ? await runPart(part, { work, deadline, environment, command }) : skipped(part, why);
    results.push(result);
    say(`${result.verdict.padEnd(10)} ${result.title}: ${result.why} (${result.seconds} s)`);
    for (const failure of result.failures.slice(0, 5)) say(`           ${failure}`);
    write(machine, results, chosen.slice(results.length), isRehearsal);
  }
  return results;
}

function partsOf(isRehearsal: boolean): readonly Part[] {
  const only = values.only?.split(',');
  const all = isRehearsal ? [REHEARSED, ...PARTS] : PARTS;
  return only === undefined ? all : all.filter(({ name }) => only.includes(name));
}

function reasonToSkip(
  part: Part,
  { python }: Machine,
  results: readonly PartResult[],
  { isRehearsal, exported }: { readonly isRehearsal: boolean; readonly exported: string | undefined },
): string | undefined {
  const doctor = results.find((result) => result.part === 'doctor');
  if (!isRehearsal && doctor && doctor.verdict !== 'passed') return 'CUDA does not work here: see the doctor';
  const missing = part.name === REHEARSED.name ? missingTools() : [];
  if (missing.length > 0) return `the stub libraries are made with ${missing.join(', ')}: install gcc and binutils`;
  if (!part.needsTorch) return undefined;
  if (isRehearsal) return 'step times mean nothing without a GPU';
  return python.ok ? exported : python.why;
}

/** What the processes of the parts see: TF32 off, the device that was asked about, and CUDA's libraries of python3. */
function environmentOf({ gpu }: Machine): Record<string, string | undefined> {
  const own = { ...process.env, NVIDIA_TF32_OVERRIDE: '0', CUDA_DEVICE_ORDER: 'PCI_BUS_ID' };
  return gpu === null ? own : { ...own, LD_LIBRARY_PATH: libraryPath(), LOSSGRAFT_CHECK_GPU: gpu.uuid };
}

/** PyTorch writes the networks that it is compared with. @returns why it did not. */
function exportNetworks(work: string, environment: Readonly<Record<string, string | undefined>>): string | undefined {
  const folder = join(work, 'networks');
  const script = fileURLToPath(new URL('./pytorch.py', import.meta.url));
  const { status, stdout, stderr, signal, error } = spawnSync('python3', [script, 'export', folder], {
    env: { ...environment },
    encoding: 'utf8',
    timeout: 1000 * EXPORT_SECONDS,
    killSignal: 'SIGKILL',
  });
  const lines = (stdout ?? '').split('\n').filter((line) => line.startsWith('{'));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'list.json'), `[${lines.join(',')}]`);
  if (status === 0) return undefined;
  const said = error?.message ?? (stderr ?? '').trim().split('\n').at(-1) ?? '';
  return `PyTorch could not write the networks (${signal ?? `exit code ${status}`}): ${said.slice(0, 200)}`;
}

/** The page so far. A rehearsal has none: its numbers are no GPU's. */
function write(machine: Machine, results: readonly PartResult[], waiting: readonly Part[], isRehearsal: boolean): void {
  const date = new Date().toISOString().slice(0, 10);
  const page = resolve(values.root, values.page ?? 'docs/cuda-results.md');
  const json = values.json === undefined ? page.replace(/(\.md)?$/, '.json') : resolve(values.json);
  const data = `${JSON.stringify({ isRehearsal, date, machine, parts: results }, null, 2)}\n`;
  if (!isRehearsal)
    save(
      page,
      pageOf(
        machine,
        date,
        results,
        waiting.map(({ title }) => title),
      ),
      waiting.length === 0,
    );
  if (!isRehearsal || values.json !== undefined) save(json, data, waiting.length === 0);
}

/** A file that cannot be written, for a full disk as well, costs no result: it is printed in the end. */
function save(path: string, text: string, isLast: boolean): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.tmp`, text);
    renameSync(`${path}.tmp`, path);
    if (isLast) say(`written: ${path}`);
  } catch (error) {
    discard(`${path}.tmp`);
    if (!isLast) return;
    isUnsaved = true;
    say(`${path} could not be written (${error instanceof Error ? error.message : error}). It would hold:\n\n${text}`);
  }
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Where it could not be written, it may not be removable.
  }
}

function exitCode(results: readonly PartResult[], isRehearsal: boolean): number {
  if (isRehearsal) say('This was a rehearsal: nothing was computed on CUDA, and no page was written.');
  return isUnsaved || results.some(({ verdict }) => verdict === 'failed' || verdict === 'crashed') ? 1 : 0;
}

function rehearsalReason({ gpu, notes }: Machine): string {
  return gpu === null ? `no GPU (${notes.join('; ')})` : '--rehearse';
}

function say(line: string): void {
  console.log(line);
}
