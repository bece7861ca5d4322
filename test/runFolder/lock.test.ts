import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LossgraftError } from '../../src/index.ts';
import { lockRun } from '../../src/runFolder/lock.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';
import { DIGITS } from '../support/digits.ts';
import { needs } from '../support/needs.ts';

const MAIN = join(ROOT, 'dist/cli/main.js');

/** The number of a process that has ended. */
function deadProcess(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

function leave(folder: string, holder: unknown): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'run.lock');
  writeFileSync(file, typeof holder === 'string' ? holder : JSON.stringify(holder));
  return file;
}

function refusal(folder: string): LossgraftError {
  try {
    lockRun(folder).release();
  } catch (error) {
    if (error instanceof LossgraftError) return error;
    throw error;
  }
  throw new Error('it was locked');
}

const STARTED = '2026-01-02T03:04:05.000Z';

describe('the lock of a run’s folder', () => {
  it('is held once, released, and leaves neither itself nor a folder that it made', () => {
    const folder = join(temporaryFolder(), 'a/run');
    const lock = lockRun(folder);
    expect(JSON.parse(readFileSync(join(folder, 'run.lock'), 'utf8'))).toMatchObject({
      pid: process.pid,
      host: hostname(),
      started: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    const { code, message } = refusal(folder);
    expect(code).toBe('run-in-use');
    expect(message).toMatch(new RegExp(`found process ${process.pid}, which began \\d{4}-.*choose another folder`));
    lock.release();
    expect(existsSync(folder)).toBe(false);
  });

  it('keeps a folder that was there, and what came into it', () => {
    const folder = temporaryFolder();
    lockRun(folder).release();
    expect(readdirSync(folder)).toEqual([]);
    const made = join(folder, 'run');
    const lock = lockRun(made);
    writeFileSync(join(made, 'checkpoint.json'), '');
    lock.release();
    expect(readdirSync(made)).toEqual(['checkpoint.json']);
  });

  it('of a process that is no more is removed, and said', () => {
    const folder = temporaryFolder();
    const pid = deadProcess();
    leave(folder, { pid, host: hostname(), started: STARTED, ticks: '1' });
    const lock = lockRun(folder);
    expect(lock.note).toMatch(new RegExp(`left locked by process ${pid}, begun ${STARTED}, which no longer runs`));
    lock.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it(
    'of a process whose number another has now is removed',
    needs(existsSync('/proc/self/stat'), 'Linux, which tells when a process began'),
    () => {
      const folder = temporaryFolder();
      leave(folder, { pid: process.ppid, host: hostname(), started: STARTED, ticks: '1' });
      const lock = lockRun(folder);
      expect(lock.note).toMatch(/which no longer runs/);
      lock.release();
    },
  );

  it('of a process that lives is kept, whose start is not known too', () => {
    const folder = temporaryFolder();
    const file = leave(folder, { pid: process.ppid, host: hostname(), started: STARTED, ticks: null });
    expect(refusal(folder).code).toBe('run-in-use');
    expect(existsSync(file)).toBe(true);
  });

  it('of another machine is kept, and the file to remove is named', () => {
    const folder = temporaryFolder();
    const file = leave(folder, { pid: deadProcess(), host: `${hostname()}-other`, started: STARTED, ticks: '1' });
    expect(refusal(folder).message).toContain(`of ${hostname()}-other`);
    expect(refusal(folder).message).toContain(`remove ${file}`);
  });

  it('that nobody can read is of a run that just begins, and after ten seconds of one that died', () => {
    const folder = temporaryFolder();
    const file = leave(folder, '');
    expect(refusal(folder).message).toMatch(/just starting/);
    utimesSync(file, new Date(), new Date(Date.now() - 11_000));
    const lock = lockRun(folder);
    expect(lock.note).toMatch(/left locked by a run, which no longer runs/);
    lock.release();
  });

  it('is released before a signal ends the process, and two folders do not keep it from ending', async () => {
    const folder = temporaryFolder();
    const module = JSON.stringify(join(ROOT, 'dist/src/runFolder/lock.js'));
    const folders = JSON.stringify([join(folder, 'a'), join(folder, 'b')]);
    const script = `const { lockRun } = await import(${module}); ${folders}.map(lockRun); console.log('locked'); setInterval(() => {}, 1000);`;
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((done) => child.stdout.once('data', done));
      expect(readdirSync(join(folder, 'a'))).toEqual(['run.lock']);
      const ended = new Promise((done) => child.on('exit', (_code, by) => done(by)));
      child.kill(signal);
      expect(await ended).toBe(signal);
      expect(readdirSync(folder)).toEqual([]);
    }
  });
});

it('a listener for one signal ends a run in good order; the next signal ends the process, and the lock goes', async () => {
  const folder = join(temporaryFolder(), 'run');
  const module = JSON.stringify(join(ROOT, 'dist/src/runFolder/lock.js'));
  const script = `const { lockRun } = await import(${module}); process.once('SIGINT', () => console.log('ending'));
    lockRun(${JSON.stringify(folder)}); console.log('locked'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const next = (): Promise<string> =>
    new Promise((done) => child.stdout.once('data', (text) => done(String(text).trim())));
  expect(await next()).toBe('locked');
  const answer = next();
  child.kill('SIGINT');
  expect(await answer).toBe('ending');
  expect(existsSync(join(folder, 'run.lock'))).toBe(true);
  const ended = new Promise((done) => child.on('exit', (_code, by) => done(by)));
  child.kill('SIGINT');
  expect(await ended).toBe('SIGINT');
  expect(existsSync(folder)).toBe(false);
});

describe('two runs in one folder', () => {
  const args = (output: string, ...more: string[]): string[] => [
    ...['train', join(DIGITS, 'model.onnx'), '--data', join(DIGITS, 'train.npz'), '-o', output, '--run', 'run'],
    ...['--loss', 'ce', '--no-report', '--write-anyway', ...more],
  ];

  it('the second is refused at its start, the first ends as if alone', async () => {
    const cwd = temporaryFolder();
    const first = spawn(process.execPath, [MAIN, ...args('a.onnx', '--epochs', '200')], {
      cwd,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await new Promise<void>((done) => first.stderr.on('data', (text) => /epoch 1 /.test(String(text)) && done()));
    const before = readdirSync(join(cwd, 'run'));
    expect(before).toContain('run.lock');
    for (const mode of [[], ['--force'], ['--resume']]) {
      const { code, stderr } = await lossgraft(args('b.onnx', '--epochs', '200', ...mode), { cwd });
      expect(stderr).toMatch(
        new RegExp(`\\[run\\] expected a folder that no other run is using, found process ${first.pid},`),
      );
      expect(code).toBe(2);
    }
    const ended = new Promise((done) => first.on('exit', done));
    first.kill('SIGKILL');
    await ended;
    expect(existsSync(join(cwd, 'run/run.lock'))).toBe(true);
    const { code, stderr } = await lossgraft(args('a.onnx', '--epochs', '2', '--force'), { cwd });
    expect(stderr).toMatch(
      new RegExp(`note: The folder run was left locked by process ${first.pid}, .* the lock was removed`),
    );
    expect(code).toBe(0);
    expect(existsSync(join(cwd, 'run/run.lock'))).toBe(false);
  });
});
