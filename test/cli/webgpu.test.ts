import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeNpz } from '../../src/index.ts';
import { elementCount, type Tensor } from '../../src/tensor.ts';
import { lossgraft, ROOT } from '../support/cli.ts';
import { needs } from '../support/needs.ts';
import { swiftshaderEnvironment } from '../support/swiftshader.ts';

/*
 * Each command on WebGPU, computed in software, beside the same on the CPU.
 */

const software = await swiftshaderEnvironment();
const scratch = mkdtempSync(join(tmpdir(), 'lossgraft-webgpu-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const HOST = 'fixtures/hosts/dropout-opset17.onnx';
const rows = join(scratch, 'rows.npz');
const DIGITS_CASE = 'fixtures/cases/digits/focal';
/** A stand-in for a GPU that fails. */
const FAULTY = join(ROOT, 'test/support/faultyGpu.mjs');
const MINUTES = 240_000;

beforeAll(() => writeRows(rows, [6]));

/** One cache, so that the self-test runs once. */
function on(provider: string, args: readonly string[], fault?: string) {
  const faulty = fault ? { FAULT: fault, NODE_OPTIONS: `--import=${FAULTY}` } : {};
  const env = { ...software, XDG_CACHE_HOME: join(scratch, 'cache'), ...faulty };
  return lossgraft([...args, ...(provider === '' ? [] : ['--provider', provider])], { env });
}

async function both(args: (provider: string) => readonly string[]): Promise<string[]> {
  const results: string[] = [];
  for (const provider of ['webgpu', 'cpu']) {
    const { code, stdout, stderr } = await on(provider, args(provider));
    expect([code, stderr.match(/^lossgraft: .*/m)?.[0]]).toEqual([0, undefined]);
    if (provider === 'webgpu') expect(stdout + stderr).toMatch(/WebGPU on SwiftShader .*in software/);
    results.push(stdout);
  }
  return results;
}

/** The losses of a run's epochs, in training and on validation data. */
function lossesIn(run: string): number[] {
  const lines = readFileSync(join(run, 'metrics.jsonl'), 'utf8').trim().split('\n');
  return lines.flatMap((line) => {
    const { trainLoss, logLoss } = JSON.parse(line);
    return [trainLoss ?? 0, logLoss];
  });
}

/** Rows of waves, of four classes. */
async function writeRows(path: string, shape: readonly number[], classes = 4): Promise<void> {
  const count = 60;
  const labels = {
    dtype: 'int64',
    dims: [count],
    data: BigInt64Array.from({ length: count }, (_, i) => BigInt(i % classes)),
  };
  const dims = [count, ...shape];
  const data = Float32Array.from({ length: elementCount(dims) }, (_, i) => Math.sin(i * 1.7) + (i % 4));
  await writeNpz(path, { x: { dtype: 'float32', dims, data }, labels: labels as Tensor });
}

describe('on SwiftShader', needs(software !== undefined, 'SwiftShader: Linux on x64'), () => {
  it('doctor names the adapter and its self-test', { timeout: MINUTES }, async () => {
    const { stdout } = await on('', ['doctor', '--json']);
    const report = JSON.parse(stdout).find(({ provider }: { provider: string }) => provider === 'webgpu');
    expect(report).toMatchObject({ works: true, adapter: { isSoftware: true } });
    expect(report.findings.map(({ check }: { check: string }) => check)).toEqual(
      expect.arrayContaining(['adapter', 'run', 'self-test']),
    );
  });

  it("predict gives the CPU's classes and probabilities", { timeout: MINUTES }, async () => {
    const file = (provider: string) => join(scratch, `${provider}.csv`);
    await both((provider) => ['predict', HOST, '--data', rows, '-o', file(provider)]);
    const [found = [], expected = []] = ['webgpu', 'cpu'].map((p) => readFileSync(file(p), 'utf8').trim().split('\n'));
    expect(found).toHaveLength(expected.length);
    expect(expected).toHaveLength(61);
    for (const [i, line] of expected.entries()) {
      for (const [k, want] of line.split(',').entries()) {
        const got = found[i]?.split(',')[k];
        if (got !== want) expect(Number(got)).toBeCloseTo(Number(want), 4);
      }
    }
  });

  it("run gives the CPU's losses", {
    timeout: MINUTES,
  }, async () => {
    const model = join(scratch, 'focal.onnx');
    await lossgraft(['augment', HOST, '--loss', 'focal', '-o', model]);
    const [found, expected] = await both(() => ['run', model, '--data', rows, '--json']);
    expect(JSON.parse(found ?? '').provider).toBe('webgpu');
    expect(JSON.parse(found ?? '').loss).toBeCloseTo(JSON.parse(expected ?? '').loss, 4);
  });

  it('refuses a label that is no class before the GPU sees it: its kernels would take it', {
    timeout: MINUTES,
  }, async () => {
    const bad = join(scratch, 'bad.npz');
    await writeRows(bad, [6], 5);
    const train = ['train', HOST, '--data', bad, '-o', join(scratch, 'bad.onnx')];
    for (const args of [['evaluate', HOST, '--data', bad], train]) {
      const { code, stderr } = await on('webgpu', args);
      expect(code).toBe(2);
      expect(stderr).toMatch(/labels, row 4\] expected a class index among 0…3, found 4/);
    }
  });

  it("calibrate fits the CPU's temperature", { timeout: MINUTES }, async () => {
    const args = (provider: string) => {
      const output = ['-o', join(scratch, `${provider}-calibrated.onnx`), '--write-anyway', '--json'];
      return ['calibrate', HOST, '--data', rows, '--method', 'temperature', ...output];
    };
    const [found, expected] = (await both(args)).map((text) => JSON.parse(text).parameter);
    expect(found).not.toBe(1);
    expect(found).toBeCloseTo(expected, 3);
  });

  it('validate compares with float64 and with the CPU', { timeout: MINUTES }, async () => {
    const { code, stdout } = await on('webgpu', ['validate', DIGITS_CASE, '--json']);
    expect(code).toBe(0);
    const [{ outputs }] = JSON.parse(stdout).cases;
    expect(outputs.length).toBeGreaterThan(0);
    for (const { againstCpu, tolerance } of outputs) {
      expect(againstCpu.maxAbs).toBeLessThan(1e-4);
      expect(tolerance.rtol).toBeGreaterThanOrEqual(1e-4);
    }
  });

  it.each([
    ['an RNN', 'rnn', 'fixtures/networks/rnn/torchscript-opset17-eval/model.onnx', [6, 3], []],
    ['the masks of Dropout', 'dropout', HOST, [6], ['--dropout', 'train']],
  ])("train of %s has the CPU's losses", { timeout: MINUTES }, async (_what, name, model, shape, more) => {
    const data = join(scratch, `${name}.npz`);
    await writeRows(data, shape);
    const output = (provider: string) => join(scratch, `${name}-${provider}.onnx`);
    await both((provider) => {
      const how = [
        '--trainable',
        'all',
        '--epochs',
        '2',
        '--batch-size',
        '8',
        '--no-refit',
        '--seed',
        '3',
        '--write-anyway',
      ];
      return ['train', model, '--data', data, '-o', output(provider), ...how, ...more];
    });
    const runOf = (provider: string) => output(provider).replace('.onnx', '.run');
    const [found = [], expected = []] = ['webgpu', 'cpu'].map((provider) => lossesIn(runOf(provider)));
    expect(expected).toHaveLength(6);
    for (const [i, loss] of expected.entries()) expect(found[i]).toBeCloseTo(loss, 4);
  });

  const trained = (output: string) => {
    const how = ['--trainable', 'all', '--epochs', '3', '--batch-size', '8', '--no-refit', '--write-anyway'];
    return ['train', HOST, '--data', rows, '-o', join(scratch, output), ...how];
  };

  it('train ends cleanly where the device is lost, and goes on from the checkpoint to the same bytes', {
    timeout: MINUTES,
  }, async () => {
    await on('webgpu', trained('whole.onnx'));
    const { code, stderr } = await on('webgpu', trained('lost.onnx'), 'lost:9');
    expect(code).toBe(2);
    expect(stderr).toMatch(/epoch 1/);
    expect(stderr).toMatch(/expected a GPU that stays there, found WebGPU device lost .* exists\. .*--resume/);
    expect(existsSync(join(scratch, 'lost.onnx'))).toBe(false);
    expect((await on('webgpu', [...trained('lost.onnx'), '--resume'])).code).toBe(0);
    const [whole, lost] = ['whole', 'lost'].map((name) => readFileSync(join(scratch, `${name}.onnx`)));
    expect(whole?.equals(readFileSync(HOST))).toBe(false);
    expect(lost?.equals(whole ?? Buffer.of())).toBe(true);
  });

  it('says how large a batch fits the memory of the GPU', { timeout: MINUTES }, async () => {
    const { code, stderr } = await on('webgpu', trained('large.onnx'), 'memory:5');
    expect(code).toBe(2);
    expect(stderr).toMatch(/out of memory\. A batch of 4 fits: --batch-size 4/);
  });
});
