import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';

const MAIN = join(ROOT, 'dist/cli/main.js');

function args(folder: string, ...more: readonly string[]): string[] {
  const data = ['--data', join(DIGITS, 'train.npz'), '-o', join(folder, 't.onnx')];
  const how = [
    '--epochs',
    '12',
    '--batch-size',
    '16',
    '--steps-per-run',
    '1',
    '--learning-rate',
    '0.02',
    '--padding',
    '1',
  ];
  return ['train', join(DIGITS, 'model.onnx'), ...data, ...how, ...more];
}

/** Starts a run and sends it a signal: after a while, or when it says something. The exit code is `null` for one that was killed. */
function cut(folder: string, signal: 'SIGKILL' | 'SIGINT', when: number | RegExp, ...more: readonly string[]) {
  const child = spawn(process.execPath, [MAIN, ...args(folder, ...more)], {
    cwd: ROOT,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    const said = stderr;
    stderr += chunk.toString();
    if (typeof when !== 'number' && when.test(stderr) && !when.test(said)) child.kill(signal);
  });
  if (typeof when === 'number') setTimeout(() => child.kill(signal), when);
  return new Promise<{ code: number | null; stderr: string }>((done) =>
    child.on('exit', (code) => done({ code, stderr })),
  );
}

describe('a run that is cut short', () => {
  it('kill -9 at random moments, then --resume: the same bytes', async () => {
    const whole = temporaryFolder();
    const begun = performance.now();
    expect((await lossgraft(args(whole))).code).toBe(0);
    const seconds = (performance.now() - begun) / 1000;
    const folder = temporaryFolder();
    for (let i = 0; i < 5; i++) {
      const { code } = await cut(
        folder,
        'SIGKILL',
        1000 * seconds * (0.2 + 0.5 * Math.random()),
        '--resume',
        '--force',
      );
      // Where it came to its end first, the rest resumes a run that is done.
      expect([null, 0]).toContain(code);
    }
    const { code, stderr } = await lossgraft(args(folder, '--resume', '--force'));
    expect(stderr).not.toMatch(/lossgraft:/);
    expect(code).toBe(0);
    expect(readFileSync(join(folder, 't.onnx')).equals(readFileSync(join(whole, 't.onnx')))).toBe(true);
    expect(readdirSync(join(folder, 't.run')).filter((file) => file.endsWith('.tmp'))).toEqual([]);
  });

  it('Ctrl-C saves, says how to go on, and leaves with 130', async () => {
    const folder = temporaryFolder();
    const { code, stderr } = await cut(folder, 'SIGINT', /epoch 2/);
    expect(stderr).toMatch(/note: ending after this step/);
    expect(stderr).toMatch(/note: the checkpoint is in .*t\.run; the same command with --resume continues it/);
    expect(code).toBe(130);
    expect(existsSync(join(folder, 't.run/checkpoint.json'))).toBe(true);
    expect(existsSync(join(folder, 't.onnx'))).toBe(false);
  });

  it('a full disk leaves the checkpoint before', async () => {
    const folder = temporaryFolder();
    expect((await cut(folder, 'SIGINT', /epoch 2/)).code).toBe(130);
    const run = join(folder, 't.run');
    const before = readFileSync(join(run, 'checkpoint.json'));
    const { file } = JSON.parse(before.toString());
    const state = readFileSync(join(run, file));
    // No file may grow beyond 64 blocks of 1 KiB: a state has 108.
    const command = ['-c', `ulimit -f 64; exec "$@"`, 'sh', process.execPath, MAIN, ...args(folder, '--resume')];
    const { status, stderr } = spawnSync('bash', command, { cwd: ROOT, encoding: 'utf8' });
    expect(stderr).toMatch(/expected a file that can be written, found .*(EFBIG|ENOSPC|file too large)/i);
    expect(status).toBe(2);
    expect(readFileSync(join(run, 'checkpoint.json')).equals(before)).toBe(true);
    expect(readFileSync(join(run, file)).equals(state)).toBe(true);
    expect(readdirSync(run).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
