/**
 * A training that is killed again and again at random moments ends with the bytes of one that never was; one whose disk is full says so, and
 * leaves the checkpoint before. Exit 1 where it is not so. test/train/interruption.test.ts has the short form of both.
 *
 *   npx tsx scripts/interruptions.ts [--kills 20] [--seed 0] [--no-disk]      the full disk is a small tmpfs, which takes root
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
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
const { next } = random(Number(options.seed));
const folder = mkdtempSync(join(tmpdir(), 'lossgraft-interruptions-'));
try {
  await kills(Number(options.kills));
  if (options.disk) await fullDisk();
} finally {
  rmSync(folder, { recursive: true });
}

function start(place: string, ...more: readonly string[]): ChildProcess & { said: string } {
  const data = ['--data', join(DIGITS, 'train.npz'), '-o', join(place, 'tuned.onnx')];
  const losses = ['--alpha', 'auto', '--baseline', '--epochs', '60', '--ib-from', '30', '--ib-rate-factor', '0.2'];
  const how = ['--batch-size', '16', '--learning-rate', '0.02', '--padding', '1', '--dropout', 'off'];
  const args = ['--import', 'tsx', MAIN, 'train', join(DIGITS, 'model.onnx'), ...data, ...losses, ...how, ...more];
  const child = Object.assign(spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] }), { said: '' });
  child.stderr.on('data', (chunk: Buffer) => {
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
  const begun = performance.now();
  await expectEnd(start(whole), 0);
  const milliseconds = performance.now() - begun;
  const wanted = await sha256(join(whole, 'tuned.onnx'));
  console.log(`never interrupted: ${(milliseconds / 1000).toFixed(1)} s, tuned.onnx ${wanted}`);
  const cut = join(folder, 'cut');
  mkdirSync(cut);
  let killed = 0;
  while (killed < count) {
    const child = start(cut, '--resume', '--force');
    // A start takes a second or two; what is left of the run gets shorter.
    const after = milliseconds * (0.1 + (0.6 * next()) / 2 ** 32);
    const timer = setTimeout(() => child.kill('SIGKILL'), after);
    const code = await ended(child);
    clearTimeout(timer);
    if (code === null) killed++;
    else await expectCode(child, code, 0);
    console.log(
      `${killed}: ${code === null ? 'killed' : 'came to its end'} after ${(after / 1000).toFixed(2)} s, ${describe(cut)}`,
    );
    if (code === 0) await begin(cut, wanted);
  }
  await expectEnd(start(cut, '--resume', '--force'), 0);
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
    const second = start(disk, '--resume');
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
    await expectEnd(start(disk, '--resume'), 0);
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
