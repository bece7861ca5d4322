import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const MAIN = join(ROOT, 'dist/cli/main.js');
const KILLER = join(import.meta.dirname, 'killer.mjs');

/** What a run is doing when it is killed, of all that it writes in an epoch. */
const KILLS = [
  ...['state-', 'checkpoint.json', 'metrics.jsonl'].flatMap((file) =>
    ['writeSync', 'fsyncSync', 'renameSync'].map((change) => [change, file] as const),
  ),
  ['writeSync', 'tfevents'],
  ['rmSync', 'state-'],
] as const;

function args(folder: string, ...more: readonly string[]): string[] {
  const data = ['--data', join(DIGITS, 'train.npz'), '-o', join(folder, 't.onnx')];
  const how = [
    '--epochs',
    '24',
    '--folds',
    '1',
    '--batch-size',
    '16',
    '--steps-per-run',
    '1',
    '--learning-rate',
    '0.02',
    '--padding',
    '1',
  ];
  return ['train', join(DIGITS, 'model.onnx'), ...data, '--write-anyway', ...how, ...more];
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

interface Start {
  readonly more?: readonly string[];
  /** Of `killer.mjs`. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ctrl-C once this is on stderr. */
  readonly interruptAt?: RegExp;
  /** In place of Ctrl-C, and nobody reads stderr any more. */
  readonly signals?: readonly NodeJS.Signals[];
}

function start(folder: string, { more = [], env = {}, interruptAt, signals }: Start): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', KILLER, MAIN, ...args(folder, ...more)], {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    const said = stderr;
    stderr += chunk.toString();
    if (!interruptAt?.test(stderr) || interruptAt.test(said)) return;
    if (signals) child.stderr.destroy();
    for (const signal of signals ?? ['SIGINT' as const]) child.kill(signal);
  });
  return new Promise((done) => child.on('exit', (code, signal) => done({ code, signal, stderr })));
}

describe('a run that is cut short', () => {
  it('kill -9 in the middle of each thing that is written, then --resume: the same bytes', async () => {
    const whole = temporaryFolder();
    expect((await lossgraft(args(whole))).code).toBe(0);
    const folder = temporaryFolder();
    const more = ['--resume', '--force'];
    let reached = -1;
    for (const [change, name] of KILLS) {
      const { signal } = await start(folder, { more, env: { KILL_DO: change, KILL_FILE: name } });
      expect(signal, `${change} ${name}`).toBe('SIGKILL');
      const { epoch, file } = JSON.parse(readFileSync(join(folder, 't.run/checkpoint.json'), 'utf8'));
      expect(epoch, `${change} ${name}`).toBeGreaterThanOrEqual(reached);
      expect(existsSync(join(folder, 't.run', file))).toBe(true);
      reached = epoch;
    }
    expect(reached).toBeGreaterThan(5);
    const { code, stderr } = await lossgraft(args(folder, ...more));
    expect(stderr).not.toMatch(/lossgraft:/);
    expect(code).toBe(0);
    expect(readFileSync(join(folder, 't.onnx')).equals(readFileSync(join(whole, 't.onnx')))).toBe(true);
    expect(readdirSync(join(folder, 't.run')).filter((file) => file.endsWith('.tmp'))).toEqual([]);
  }, 180_000);

  it('Ctrl-C saves, says how to go on, and leaves with 130', async () => {
    const folder = temporaryFolder();
    const { code, stderr } = await start(folder, { interruptAt: /epoch 2/ });
    expect(stderr).toMatch(/note: stopping after this step/);
    expect(stderr).toMatch(/note: the checkpoint is in .*t\.run; lossgraft train --resume .*t\.run continues it/);
    expect(code).toBe(130);
    expect(existsSync(join(folder, 't.run/checkpoint.json'))).toBe(true);
    expect(existsSync(join(folder, 't.onnx'))).toBe(false);
  });

  it.each([[['SIGHUP', 'SIGHUP']], [['SIGTERM']]] as const)(
    'a terminal that goes away and a system that stops save, too: %s',
    async (signals) => {
      const folder = temporaryFolder();
      const { code, signal } = await start(folder, { interruptAt: /epoch 2/, signals });
      expect([code, signal]).toEqual([130, null]);
      const { epoch, outcome } = JSON.parse(readFileSync(join(folder, 't.run/checkpoint.json'), 'utf8'));
      expect(epoch).toBeGreaterThanOrEqual(2);
      expect(outcome).toBeNull();
    },
  );

  it('a full disk leaves the checkpoint before', async () => {
    const folder = temporaryFolder();
    expect((await start(folder, { interruptAt: /epoch 2/ })).code).toBe(130);
    const run = join(folder, 't.run');
    const before = readFileSync(join(run, 'checkpoint.json'));
    const { file } = JSON.parse(before.toString());
    const state = readFileSync(join(run, file));
    // No file may grow beyond 64 blocks of 1 KiB: a state has 108.
    const command = ['-c', `ulimit -f 64; exec "$@"`, 'sh', process.execPath, MAIN, ...args(folder, '--resume')];
    const { status, stderr } = spawnSync('bash', command, { cwd: ROOT, encoding: 'utf8' });
    expect(stderr).toMatch(/expected a writable file, found .*(EFBIG|ENOSPC|file too large)/i);
    expect(status).toBe(2);
    expect(readFileSync(join(run, 'checkpoint.json')).equals(before)).toBe(true);
    expect(readFileSync(join(run, file)).equals(state)).toBe(true);
    expect(readdirSync(run).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
