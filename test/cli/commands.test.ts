import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { losses, openData, weightings } from '../../src/index.ts';
import { lossgraft, ROOT, temporaryFolder } from '../support/cli.ts';

const DIGITS = join(ROOT, 'fixtures/digits');

async function ok(args: readonly string[]): Promise<{ stdout: string; stderr: string }> {
  const result = await lossgraft(args);
  expect(result.stderr).not.toMatch(/^lossgraft:/m);
  expect(result.code).toBe(0);
  return result;
}

describe('inspect', () => {
  it('says in JSON what is in the file', async () => {
    const { stdout } = await ok(['inspect', join(DIGITS, 'model.onnx'), '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      file: 'model.onnx',
      bytes: readFileSync(join(DIGITS, 'model.onnx')).length,
      irVersion: 8,
      opsets: { 'ai.onnx': 17 },
      inputs: [{ name: 'images', dtype: 'float32', shape: ['N', 1, 8, 8] }],
      outputs: [{ name: 'logits', dtype: 'float32', shape: ['N', 10] }],
      classes: 10,
      parameters: 13706,
      logits: { name: 'logits' },
      features: { shape: ['N', 64] },
    });
  });

  it('shows people the same', async () => {
    const { stdout } = await ok(['inspect', join(DIGITS, 'model-dynamo.onnx')]);
    expect(stdout).toMatch(/^format +IR 10, opset ai\.onnx 20$/m);
    expect(stdout).toMatch(/^input +images {2}float32 \[N, 1, 8, 8\]$/m);
    expect(stdout).toMatch(/^parameters +13,706$/m);
    expect(stdout).toMatch(/^Conv +2 {2}cuda/m);
  });
});

describe('augment and run', () => {
  it('write a model, a table, CSV and .npz that agree', async () => {
    const folder = temporaryFolder();
    const [net, csv, npz] = ['net.onnx', 'out.csv', 'out.npz'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const report = await ok([
      'augment',
      join(DIGITS, 'model.onnx'),
      '-o',
      net,
      '--loss',
      'ib',
      '--class-counts',
      join(DIGITS, 'counts.json'),
    ]);
    expect(report.stdout).toMatch(/^outputs +logits, loss, loss_per_sample, ib_factor$/m);
    expect(report.stdout).toMatch(/^class weights +inverse: 0\.1189, /m);
    const { stdout } = await ok(['run', net, '--data', join(DIGITS, 'train.npz'), '--csv', csv, '--npz', npz]);
    expect(stdout).toMatch(/^ +0 +130 /m);
    expect(stdout).toMatch(/\(mean of 416 samples, cpu\)$/m);
    const lines = readFileSync(csv, 'utf8').trimEnd().split('\n');
    expect(lines[0]).toBe('row,label,loss_per_sample,ib_factor');
    expect(lines).toHaveLength(417);
    const data = await openData(npz);
    const arrays = ['labels', 'loss_per_sample', 'ib_factor'].map((key) => data.columns.get(key));
    const values = await Promise.all(arrays.map(async (column) => (await column?.read(0, 416))?.data));
    data.close();
    for (const [row, line] of lines.slice(1).entries()) {
      const [number, ...cells] = line.split(',').map(Number);
      expect(number).toBe(row);
      expect(cells.map(Math.fround)).toEqual(values.map((column) => Number(column?.[row])));
    }
  });

  it('say which counts a loss was made from, and which options it took', async () => {
    const net = join(temporaryFolder(), 'net.onnx');
    const own = ['--loss', 'vector-scaling', '--class-counts', join(DIGITS, 'counts.json'), '--scaling-gamma', '0.1'];
    const { stdout } = await ok(['augment', join(DIGITS, 'model.onnx'), '-o', net, ...own]);
    expect(stdout).toMatch(/^loss +vector-scaling, mean over the samples, scaling-gamma 0\.1, tau 1, form fused$/m);
    expect(stdout).toMatch(/^class weights +none$/m);
    expect(stdout).toMatch(/^class counts +130, 90, 63, 44, 31, 21, 15, 10, 7, 5$/m);
  });

  it('without --csv the samples go to stdout and the table to stderr; --json has the means', async () => {
    const folder = temporaryFolder();
    const net = join(folder, 'net.onnx');
    await ok([
      'augment',
      join(DIGITS, 'model.onnx'),
      '-o',
      net,
      '--loss',
      'focal',
      '--gamma',
      '2',
      '--focal-scale',
      '1',
    ]);
    const plain = await ok(['run', net, '--data', join(DIGITS, 'test.npz')]);
    expect(plain.stdout.split('\n')).toHaveLength(402);
    expect(plain.stderr).toMatch(/^loss .* \(mean of 400 samples, cpu\)$/m);
    const { stdout } = await ok(['run', net, '--data', join(DIGITS, 'test.npz'), '--json']);
    const { loss, samples, classes } = JSON.parse(stdout);
    const column = plain.stdout
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => Number(line.split(',')[2]));
    expect(samples).toBe(400);
    expect(loss).toBeCloseTo(column.reduce((sum, value) => sum + value, 0) / 400, 7);
    expect(classes).toHaveLength(10);
  });

  it('a closed pipe is no error', () => {
    const net = join(temporaryFolder(), 'net.onnx');
    const main = join(ROOT, 'dist/cli/main.js');
    execFileSync(process.execPath, [main, 'augment', join(DIGITS, 'model.onnx'), '-o', net, '--loss', 'ce']);
    const command = `set -o pipefail; "${process.execPath}" "${main}" run "${net}" --data "${join(DIGITS, 'train.npz')}" 2>&1 | head -1`;
    expect(execFileSync('bash', ['-c', command], { encoding: 'utf8' })).toBe('row,label,loss_per_sample\n');
  });
});

describe('help', () => {
  it('of train shows the dozen options that a first run needs, and all on request', async () => {
    const flags = (text: string): string[] => {
      const own = (text.split('Examples:')[0] ?? '').replace(/With every command:[\s\S]*?\n\n/, '');
      return [...own.matchAll(/^ {2,6}(?:-\w, )?--([a-z-]+)/gm)].map(([, name = '']) => name);
    };
    const short = flags((await ok(['train', '--help'])).stdout);
    expect(short).toEqual(expect.arrayContaining(['data', 'output', 'method', 'epochs', 'resume', 'label-column']));
    expect(short.length).toBeLessThanOrEqual(12);
    const all = flags((await ok(['train', '--help-all'])).stdout);
    expect(all).toEqual(expect.arrayContaining([...short, 'learning-rate', 'baseline', 'preprocess', 'write-anyway']));
    expect(all.length).toBeGreaterThan(50);
  });
});

describe('options of the losses', () => {
  it('are all there, with their defaults, from what the losses declare', async () => {
    const { stdout } = await ok(['augment', '--help-all']);
    const text = stdout.replace(/\s+/g, ' ');
    for (const { name, options } of [...Object.values(losses), ...Object.values(weightings)]) {
      expect(text).toContain(`${name}: `);
      for (const [key, spec] of Object.entries(options)) {
        expect(text).toContain(`--${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)} `);
        expect(text).toContain(`default ${spec.default})`);
      }
    }
  });

  it('reach the model', async () => {
    const net = join(temporaryFolder(), 'net.onnx');
    const args = [
      '--loss',
      'ib-focal',
      '--gamma',
      '0.5',
      '--alpha',
      '7',
      '--epsilon',
      '0.25',
      '--detach-factor',
      '--form',
      'literal',
    ];
    const counts = ['--class-counts', join(DIGITS, 'train.npz'), '--class-weights', 'effective', '--beta', '0.9'];
    const { stdout } = await ok([
      'augment',
      join(DIGITS, 'model.onnx'),
      '-o',
      net,
      ...args,
      ...counts,
      '--rename',
      'labels=y',
      '--json',
    ]);
    const report = JSON.parse(stdout);
    expect(report.options).toEqual({ gamma: 0.5, alpha: 7, epsilon: 0.25, detachFactor: true, form: 'literal' });
    expect(report.classWeights.how).toBe('effective');
    expect(report.inputs).toEqual(['images', 'y']);
  });
});

describe('validate', () => {
  it('passes on the digits, as a table and as JSON', async () => {
    const { stdout } = await ok(['validate', join(ROOT, 'fixtures/cases/digits')]);
    expect(stdout).toMatch(/^5 cases passed, 0 failed/m);
    expect(stdout).toMatch(/^fixtures\/cases\/digits\/ib +loss .* pass$/m);
    const json = JSON.parse((await ok(['validate', join(ROOT, 'fixtures/cases/digits'), '--json'])).stdout);
    expect(json).toMatchObject({ verdict: 'pass', passed: 5, failed: 0 });
  });

  it('one wrong value makes it fail, with exit status 1 and the place', async () => {
    const folder = temporaryFolder();
    cpSync(join(ROOT, 'fixtures/cases/digits/ib'), join(folder, 'ib'), { recursive: true });
    const description = JSON.parse(readFileSync(join(folder, 'ib/case.json'), 'utf8'));
    cpSync(join(DIGITS, 'model.onnx'), join(folder, 'ib/model.onnx'));
    writeFileSync(join(folder, 'ib/case.json'), JSON.stringify({ ...description, model: 'model.onnx' }));
    await ok(['validate', folder]);
    const path = join(folder, 'ib/test_data_set_0/output_2.pb');
    const bytes = readFileSync(path);
    const last = bytes.length - 2;
    bytes[last] = (bytes[last] ?? 0) ^ 0x10;
    writeFileSync(path, bytes);
    const broken = await lossgraft(['validate', folder]);
    expect(broken.code).toBe(1);
    expect(broken.stdout).toMatch(/FAIL .*ib, \w+: /);
    expect(broken.stdout).toMatch(/0 cases passed, 1 failed/);
    rmSync(folder, { recursive: true });
    expect((await lossgraft(['validate', folder])).code).toBe(2);
  });
});

describe('doctor, version and help', () => {
  it('doctor: the CPU works, and what CUDA lacks is listed', async () => {
    const { stdout } = await ok(['doctor']);
    expect(stdout).toMatch(/^cpu: works$/m);
    expect(stdout).toMatch(/^cuda: (works|does not work)$/m);
    const reports = JSON.parse((await ok(['doctor', '--json'])).stdout);
    expect(reports[0]).toMatchObject({ provider: 'cpu', works: true });
  });

  it('--version is the package’s', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect((await ok(['--version'])).stdout.trim()).toBe(version);
  });

  it.each(['inspect', 'augment', 'run', 'validate', 'doctor'])('%s --help has examples', async (command) => {
    expect((await ok([command, '--help'])).stdout).toMatch(new RegExp(`Examples:\\n +lossgraft ${command}`));
  });
});
