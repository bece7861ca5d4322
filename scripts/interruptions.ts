/**
 * A training that is killed again and again, in the middle of what it writes, ends with the same bytes as one that never was. One whose disk
 * is full says so and leaves the previous checkpoint. Exits with 1 if that is not so. test/train/interruption.test.ts has the short form.
 *
 *   npx tsx scripts/interruptions.ts [--kills 20] [--seed 0] [--no-disk]      the full disk is a small tmpfs, which takes root
 *
 * The seed chooses what a process is doing when it dies. No clock is involved, so a failure can be repeated.
 */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { random } from '../src/data/random.ts';
import { sha256 } from '../src/hash.ts';

const DIGITS = fileURLToPath(new URL('../fixtures/digits/', import.meta.url));
const MAIN = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const KILLER = new URL('../test/train/killer.mjs', import.meta.url).href;
/** What may be under way when a process dies. */
const WRITES = ['state-', 'checkpoint.json', 'metrics.jsonl'].flatMap((file) =>
  ['writeSync', 'fsyncSync', 'renameSync'].map((change) => [change, file] as const),
);
/** A process dies after so many epochs at most. */
const LASTS = 24;
/** Two losses, one of them in two phases. */
const TRAINING =
  '--loss ib --alpha auto --baseline --epochs 60 --ib-from 30 --ib-rate-factor 0.2 --batch-size 16 --learning-rate 0.02 ' +
  '--padding 1 --dropout off --write-anyway';
/** A small disk: the run has room until it is filled up. */
const DISK_BYTES = 4 * 2 ** 20;
/** Enough for metrics.jsonl, too little for a state, of 108 KiB. */
const ROOM_BYTES = 64 * 2 ** 10;

const { values: options } = parseArgs({
  allowNegative: true,
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: '0' },
    disk: { type: 'boolean', default: true },
  },
});
const { below } = random(Number(options.seed));
const AGAIN = ['--resume', '--force'];
const folder = mkdtempSync(join(tmpdir(), 'lossgraft-interruptions-'));
try {
  await kills(Number(options.kills));
  if (options.disk) await fullDisk();
} finally {
  rmSync(folder, { recursive: true });
}

function start(
  place: string,
  more: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): ChildProcess & { said: string } {
  const files = [join(DIGITS, 'model.onnx'), '--data', join(DIGITS, 'train.npz'), '-o', join(place, 'tuned.onnx')];
  const program = ['--import', 'tsx', '--import', KILLER, MAIN, 'train', ...files, ...TRAINING.split(' '), ...more];
  const options = { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] } satisfies SpawnOptions;
  const child = Object.assign(spawn(process.execPath, program, options), { said: '' });
  child.stderr?.on('data', (chunk: Buffer) => {
    child.said += chunk.toString();
  });
  return child;
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((done) => child.on('exit', done));
}

async function kills(count: number): Promise<void> {
  const whole = join(folder, 'whole');
  mkdirSync(whole);
  await expectEnd(start(whole), 0);
  const wanted = await sha256(join(whole, 'tuned.onnx'));
  console.log(`never interrupted: tuned.onnx ${wanted}`);
  const cut = join(folder, 'cut');
  mkdirSync(cut);
  let killed = 0;
  while (killed < count) {
    const [change, file] = WRITES[below(WRITES.length)] ?? ['writeSync', 'state-'];
    const env = { KILL_DO: change, KILL_FILE: file, KILL_AT: String(1 + below(LASTS)) };
    const child = start(cut, AGAIN, env);
    const code = await ended(child);
    if (code === null) killed++;
    else await expectCode(child, code, 0);
    const end = code === null ? 'killed' : 'came to its end before';
    console.log(`${killed}: ${end} at ${change} ${env.KILL_AT} of ${file}, ${describe(cut)}`);
    if (code === 0) await begin(cut, wanted);
  }
  await expectEnd(start(cut, AGAIN), 0);
  await begin(cut, wanted);
}

/** The run that came to its end must be the one that was never interrupted; then it begins anew. */
async function begin(cut: string, wanted: string): Promise<void> {
  const found = await sha256(join(cut, 'tuned.onnx'));
  console.log(`the end: tuned.onnx ${found}, ${found === wanted ? 'the same' : 'OTHER BYTES'}`);
  if (found !== wanted) process.exitCode = 1;
  const left = readdirSync(join(cut, 'tuned.run'));
  if (left.some((name) => name.endsWith('.tmp'))) throw new Error(`left behind: ${left.join(', ')}`);
  rmSync(cut, { recursive: true });
  mkdirSync(cut);
}

function describe(place: string): string {
  try {
    const { arm, epoch, step } = JSON.parse(readFileSync(join(place, 'tuned.run/checkpoint.json'), 'utf8'));
    return `checkpoint: loss ${arm}, epoch ${epoch}, step ${step}`;
  } catch {
    return 'no checkpoint yet';
  }
}

async function fullDisk(): Promise<void> {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  run('mount', '-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'tmpfs', disk);
  try {
    const first = start(disk);
    let isSent = false;
    first.stderr?.on('data', () => {
      if (!isSent && /epoch 3/.test(first.said)) isSent = first.kill('SIGINT');
    });
    await expectEnd(first, 130);
    const before = readFileSync(join(disk, 'tuned.run/checkpoint.json'));
    const { file } = JSON.parse(before.toString());
    const state = readFileSync(join(disk, 'tuned.run', file));
    fill(join(disk, 'filling'));
    const second = start(disk, ['--resume']);
    await expectEnd(second, 2);
    console.log(
      second.said
        .split('\n')
        .filter((line) => line.startsWith('lossgraft'))
        .join('\n'),
    );
    if (!readFileSync(join(disk, 'tuned.run/checkpoint.json')).equals(before)) throw new Error('another checkpoint');
    if (!readFileSync(join(disk, 'tuned.run', file)).equals(state)) throw new Error('another state');
    console.log(
      `on the full disk: ${readdirSync(join(disk, 'tuned.run')).join(', ')}; checkpoint and state are those before`,
    );
    rmSync(join(disk, 'filling'));
    await expectEnd(start(disk, ['--resume']), 0);
    console.log('with room again: came to its end');
  } finally {
    run('umount', disk);
  }
}

/** Leaves less room than a state takes. */
function fill(path: string): void {
  try {
    for (let size = DISK_BYTES; ; size *= 2) writeFileSync(path, new Uint8Array(size));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  }
  truncateSync(path, statSync(path).size - ROOM_BYTES);
}

function run(command: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command}: ${stderr}`);
}

async function expectEnd(child: ChildProcess & { said: string }, wanted: number): Promise<void> {
  await expectCode(child, await ended(child), wanted);
}

async function expectCode(child: { said: string }, code: number | null, wanted: number): Promise<void> {
  if (code !== wanted) throw new Error(`exit status ${code}, and not ${wanted}: ${child.said}`);
}
