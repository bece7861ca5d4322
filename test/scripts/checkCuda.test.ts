import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shareOf } from '../../scripts/checkCuda/collector.ts';
import { askMachine, libraryPath } from '../../scripts/checkCuda/machine.ts';
import { worstOf } from '../../scripts/checkCuda/networks.ts';
import { pageOf } from '../../scripts/checkCuda/page.ts';
import type { Machine, PartResult } from '../../scripts/checkCuda/result.ts';
import { type PlannedPart, runPart } from '../../scripts/checkCuda/runParts.ts';
import { transfersIn } from '../../scripts/checkCuda/steps.ts';
import type { Tensor } from '../../src/tensor.ts';
import { ROOT, temporaryFolder } from '../support/cli.ts';
import { needs } from '../support/needs.ts';

const ONE = '0, GPU-aaaa, NVIDIA H200, 580.159.03, 143771, 9.0, Disabled';
const EIGHT = Array.from({ length: 8 }, (_, i) => `${i}, GPU-${i}f00, NVIDIA A100, 570.1, 81920, 8.0, Disabled`).join(
  '\n',
);
const MIG =
  '0, GPU-aaaa, NVIDIA A100, 570.1, 40960, 8.0, Enabled\n1, GPU-bbbb, NVIDIA A100, 570.1, 40960, 8.0, Enabled';
const MIG_LIST = `GPU 0: NVIDIA A100 (UUID: GPU-aaaa)
  MIG 3g.20gb Device 0: (UUID: MIG-1111)
GPU 1: NVIDIA A100 (UUID: GPU-bbbb)
  MIG 3g.20gb Device 0: (UUID: MIG-2222)`;

/** A stand-in for nvidia-smi that answers the three questions it is asked. */
function nvidiaSmi(gpus: string, list = ''): string {
  return `case "$1" in --query-gpu=memory*) echo 5;; --query*) cat <<'X'\n${gpus}\nX\n;; -L) cat <<'X'\n${list}\nX\n;; *) echo '| Driver Version: 580.1  CUDA Version: 13.0 |';; esac`;
}

const TORCH = `echo '{"version": "3.12.3", "torch": "2.11.0+cu130", "cuda": "13.0", "cudnn": "91300", "sees": true}'`;

interface Fakes {
  readonly 'nvidia-smi'?: string;
  readonly python3?: string;
}

/** An environment in which these are all the programs that there are, but for the shell's own. */
function environmentOf(fakes: Fakes, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  const folder = join(temporaryFolder(), 'bin');
  mkdirSync(folder);
  for (const [name, script] of Object.entries(fakes)) {
    writeFileSync(join(folder, name), `#!/bin/sh\nPATH=/usr/bin:/bin\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return { PATH: folder, ...more };
}

function ask(fakes: Fakes, more: Readonly<Record<string, string>> = {}): Machine {
  return askMachine('1.30.0', environmentOf(fakes, more));
}

describe('the machine', () => {
  it('is asked for its card, driver and PyTorch', () => {
    const { gpu, python, notes } = ask({ 'nvidia-smi': nvidiaSmi(ONE), python3: TORCH });
    expect(gpu).toMatchObject({ name: 'NVIDIA H200', driver: '580.159.03', cuda: '13.0', computeCapability: '9.0' });
    expect(python).toEqual({ ok: true, version: '3.12.3', torch: '2.11.0+cu130', cuda: '13.0', cudnn: '91300' });
    expect(notes).toEqual([]);
  });

  it.each([
    ['nothing there', {}, /nvidia-smi: not found/],
    [
      'a driver that does not answer',
      { 'nvidia-smi': 'echo "could not communicate with the driver" >&2; exit 9' },
      /exit code 9, could not communicate/,
    ],
    ['no GPU listed', { 'nvidia-smi': nvidiaSmi('') }, /names no GPU of nvidia-smi's 0/],
  ])('has no GPU: %s', (_, fakes, note) => {
    const { gpu, notes } = ask({ python3: TORCH, ...fakes });
    expect(gpu).toBeNull();
    expect(notes.join()).toMatch(note);
  });

  it.each([
    ['3', 'GPU-3f00', /GPU 3 of 8/],
    ['GPU-5f', 'GPU-5f00', /GPU 5 of 8/],
    ['6,7', 'GPU-6f00', /GPU 6 of 8/],
  ])('takes one GPU of eight: CUDA_VISIBLE_DEVICES=%s', (visible, uuid, note) => {
    const { gpu, notes } = ask({ 'nvidia-smi': nvidiaSmi(EIGHT), python3: TORCH }, { CUDA_VISIBLE_DEVICES: visible });
    expect(gpu?.uuid).toBe(uuid);
    expect(notes.join()).toMatch(note);
  });

  it.each(['', '-1', '8', 'GPU-none'])('has none where CUDA_VISIBLE_DEVICES is "%s"', (visible) => {
    expect(ask({ 'nvidia-smi': nvidiaSmi(EIGHT) }, { CUDA_VISIBLE_DEVICES: visible }).gpu).toBeNull();
  });

  it('finds the card of a MIG instance, and says that it is a part', () => {
    const fakes = { 'nvidia-smi': nvidiaSmi(MIG, MIG_LIST), python3: TORCH };
    const { gpu, notes } = ask(fakes, { CUDA_VISIBLE_DEVICES: 'MIG-2222' });
    expect(gpu?.uuid).toBe('GPU-bbbb');
    expect(notes.join()).toMatch(/MIG is on: MIG-2222 is used/);
    expect(ask(fakes).notes.join()).toMatch(/MIG is on: CUDA's first instance/);
  });

  it.each([
    ['no python', {}, /python3: not found/],
    [
      'no PyTorch',
      { python3: `echo '{"version": "3.12.3", "error": "ModuleNotFoundError: No module named torch"}'` },
      /3.12.3 has no PyTorch \(ModuleNotFound/,
    ],
    [
      'a PyTorch for the CPU',
      { python3: `echo '{"version": "3.12.3", "torch": "2.11.0", "sees": false}'` },
      /2.11.0 does not see the GPU/,
    ],
    ['no JSON', { python3: 'echo Segmentation fault' }, /answered "Segmentation fault/],
    ['a crash', { python3: 'kill -9 $$' }, /SIGKILL/],
  ])('goes without PyTorch: %s', (_, fakes, why) => {
    const { gpu, python } = ask({ 'nvidia-smi': nvidiaSmi(ONE), ...fakes });
    expect(gpu).not.toBeNull();
    expect(python.ok ? '' : python.why).toMatch(why);
  });

  it('adds python3’s CUDA libraries behind the user’s own, each once', () => {
    const environment = environmentOf({ python3: 'echo /site/nvidia/cu13/lib:/own' }, { LD_LIBRARY_PATH: '/own' });
    expect(libraryPath(environment)).toBe('/own:/site/nvidia/cu13/lib');
    expect(libraryPath({ PATH: '/nowhere', LD_LIBRARY_PATH: '/own' })).toBe('/own');
  });
});

describe('a part', () => {
  const part: PlannedPart = { name: 'p', title: 'P', about: '', budget: 1, processes: 2 };
  const FOUND = { done: 2, total: 2, failures: [], rows: [], notes: [] };

  /** Runs a part whose processes do what `script` says; `OUT` is where each writes. */
  function run(script: (index: number) => string, more: { budget?: number; left?: number } = {}): Promise<PartResult> {
    return runPart(
      { ...part, budget: more.budget ?? 20 },
      {
        work: temporaryFolder(),
        deadline: Date.now() + 1000 * (more.left ?? 60),
        environment: process.env,
        grace: 0.5,
        command: (_, { index, out }) => [
          process.execPath,
          '-e',
          `const OUT = ${JSON.stringify(out)}; ${script(index)}`,
        ],
      },
    );
  }

  const writes = (found: object): string =>
    `fs.writeFileSync(OUT, ${JSON.stringify(JSON.stringify({ ...FOUND, ...found }))});`;

  it('passes where all of its processes do', async () => {
    expect(await run(() => writes({}))).toMatchObject({ verdict: 'passed', done: 4, total: 4, why: '4 of 4' });
  });

  it('fails by what one of them found, and keeps what the others did', async () => {
    const result = await run((index) =>
      index === 0 ? writes({ failures: ['Conv: off'], done: 1, rows: [{ a: 1 }] }) : 'process.exit(3)',
    );
    expect(result).toMatchObject({ verdict: 'failed', failures: ['Conv: off'], rows: [{ a: 1 }] });
  });

  it('has crashed where a process died, and says how', async () => {
    const result = await run(
      (index) => `${writes({})} ${index === 0 ? "console.error('CUDA error 700'); process.abort()" : ''}`,
    );
    expect(result.verdict).toBe('crashed');
    expect(result.why).toMatch(/SIGABRT/);
    const thrown = await run(() => `${writes({})} throw new RangeError('no nm')`);
    expect(thrown.why).toBe('a process ended with exit code 1: RangeError: no nm');
  });

  it('has crashed where it cannot be started', async () => {
    const plan = {
      work: temporaryFolder(),
      deadline: Date.now() + 60_000,
      environment: {},
      command: () => ['/no/such/program'],
    };
    expect(await runPart(part, plan)).toMatchObject({ verdict: 'crashed' });
  });

  it('is incomplete where its time is over, and keeps what was found before', async () => {
    const result = await run(() => `${writes({ done: 1 })} setInterval(() => {}, 1000)`, { budget: 1 });
    expect(result).toMatchObject({ verdict: 'incomplete', done: 2, total: 4, why: '2 of 4 in 1 s' });
  });

  it('has crashed where it hangs and found nothing', async () => {
    expect(await run(() => 'setInterval(() => {}, 1000)', { budget: 1 })).toMatchObject({
      verdict: 'crashed',
      why: 'no answer in 1 s',
    });
  });

  it('is skipped where no time is left for it', async () => {
    expect(await run(() => writes({}), { left: 0.5 })).toMatchObject({ verdict: 'skipped', why: 'no time was left' });
  });
});

const MACHINE: Machine = {
  gpu: null,
  notes: ['a note'],
  python: { ok: false, why: 'not found' },
  node: 'v20',
  runtime: '1.30.0',
  processor: 'a | b',
  cores: 2,
};

describe('the page', () => {
  it('has a verdict for each part, its failures, and what was not done', () => {
    const result = {
      part: 'p',
      title: 'P',
      about: 'About.',
      verdict: 'failed',
      why: '1 of 2 failed',
      seconds: 3,
      done: 2,
      total: 2,
      failures: ['Conv: off'],
      rows: [{ a: 1 }, { b: 'x|y' }],
      notes: ['n'],
    } as const;
    const page = pageOf(MACHINE, '2026-01-02', [result], ['Q']);
    expect(page).toContain('| P | failed | 1 of 2 failed | 3 |');
    expect(page).toContain(
      '## P\n\nfailed: 1 of 2 failed. About.\n\n| a | b |\n| --- | --- |\n| 1 |  |\n|  | x\\|y |\n\n- FAILED: Conv: off\n- n',
    );
    expect(page).toContain('Not done: Q.');
    expect(page).toContain('not there: not found');
    expect(page).toContain('- a note');
  });
});

describe('numbers', () => {
  const tensor = (...data: number[]): Tensor => ({
    dtype: 'float32',
    dims: [data.length],
    data: Float32Array.from(data),
  });

  it('are compared with the largest of their tensor, or a hundredth of the largest gradient', () => {
    const cpu = { 'a.grad': tensor(100, 0), 'b.grad': tensor(1e-9), loss: tensor(2) };
    expect(worstOf({ ...cpu, 'a.grad': tensor(100, 1) }, cpu)).toEqual({ tensor: 'a.grad', error: 0.01 });
    // Zero but for rounding: held against 1, not against itself.
    expect(worstOf({ ...cpu, 'b.grad': tensor(2e-9) }, cpu).error).toBeLessThan(1e-8);
    expect(worstOf({ ...cpu, loss: tensor(Number.NaN) }, cpu)).toEqual({
      tensor: 'loss',
      error: Number.POSITIVE_INFINITY,
    });
    expect(worstOf({}, cpu).error).toBe(Number.POSITIVE_INFINITY);
  });

  it('of transfers are the runtime’s own copies', () => {
    const event = (op_name: string, provider: string, dur = 1000) => ({
      cat: 'Node',
      name: 'n_kernel_time',
      dur,
      args: { op_name, provider },
    });
    const events = [
      event('MemcpyFromHost', 'CUDAExecutionProvider'),
      event('MemcpyToHost', 'CUDAExecutionProvider'),
      event('Scan', 'CPUExecutionProvider', 5000),
      { cat: 'Session' },
    ];
    expect(transfersIn(events)).toEqual({
      'copies to the GPU': 1,
      'copies to the CPU': 1,
      'ms in copies': 2,
      'ms of the Scan': 5,
      'Scan is on': 'CPUExecutionProvider',
    });
  });

  it('are of all items, each in one share', () => {
    const items = Array.from({ length: 50 }, (_, i) => i);
    const shares = [0, 1, 2].flatMap((index) => shareOf(items, { index, count: 3 }));
    expect(shares.sort((a, b) => a - b)).toEqual(items);
  });
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function check(args: readonly string[], environment: Readonly<Record<string, string>>): Promise<Ended> {
  const main = join(ROOT, 'scripts/checkCuda/main.ts');
  return new Promise((resolve) => {
    const env = { HOME: process.env.HOME, ...environment };
    execFile(
      process.execPath,
      ['--import', 'tsx', main, '--root', ROOT, ...args],
      { env, cwd: ROOT },
      (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }),
    );
  });
}

describe('npm run check:cuda', { timeout: 120_000 }, () => {
  it('writes a page that says why there are no numbers, where CUDA does not work', async () => {
    const page = join(temporaryFolder(), 'results.md');
    const fakes = environmentOf({ 'nvidia-smi': nvidiaSmi(ONE), python3: 'exit 1' });
    const { code, out } = await check(['--only', 'doctor,transfers,speed', '--page', page], fakes);
    expect(code, out).toBe(1);
    const text = readFileSync(page, 'utf8');
    expect(text).toContain('NVIDIA H200');
    expect(text).toMatch(/\| Doctor \| failed \|/);
    expect(text).toMatch(/\| Step times \| skipped \| CUDA does not work here: see the doctor/);
    expect(text).not.toContain('copies to the GPU');
    expect(JSON.parse(readFileSync(page.replace('.md', '.json'), 'utf8'))).toMatchObject({ isRehearsal: false });
  });

  it('prints the page where it cannot be written', async () => {
    const blocked = join(temporaryFolder(), 'file');
    writeFileSync(blocked, '');
    const fakes = environmentOf({ 'nvidia-smi': nvidiaSmi(ONE) });
    const { code, out } = await check(['--only', 'speed', '--page', join(blocked, 'results.md')], fakes);
    expect(code).toBe(1);
    expect(out).toMatch(/could not be written \(E\w+.*It would hold:\s+# CUDA results/s);
  });

  it('prints the page where the disk is full', needs(existsSync('/dev/full'), '/dev/full'), async () => {
    const page = join(temporaryFolder(), 'results.md');
    symlinkSync('/dev/full', `${page}.tmp`);
    const { code, out } = await check(
      ['--only', 'speed', '--minutes', '0.1', '--page', page],
      environmentOf({ 'nvidia-smi': nvidiaSmi(ONE) }),
    );
    expect(code).toBe(1);
    expect(out).toMatch(/ENOSPC.*It would hold:\s+# CUDA results/s);
    expect(existsSync(page)).toBe(false);
  });

  it.each([
    ['--minutes', '0', /--minutes must be a number above 0, such as 8; found "0"/],
    ['--minutes', 'eight', /--minutes must be a number above 0.*found "eight"/],
    [
      '--root',
      'docs',
      /expected lossgraft's fixtures, found no \S+docs.fixtures.cases.*pass the folder that holds it as --root/,
    ],
    ['--only', 'doctor,network', /--only takes parts.*doctor, networks.*found "network"/],
  ])('refuses %s %s before it begins', async (option, value, message) => {
    const { code, out, err } = await check([option, value], environmentOf({}));
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(message);
  });

  it('rehearses on the CPU without a GPU, and writes no page', async () => {
    const folder = temporaryFolder();
    const page = join(folder, 'results.md');
    const { code, out } = await check(['--only', 'transfers,speed', '--page', page], environmentOf({}));
    expect(code, out).toBe(0);
    expect(out).toMatch(/REHEARSAL on the CPU: no GPU \(nvidia-smi: not found\)/);
    expect(out).toMatch(/passed +Transfers/);
    expect(out).toMatch(/skipped +Step times/);
    expect(out).toContain('no page was written');
    expect(existsSync(page)).toBe(false);
  });
});
