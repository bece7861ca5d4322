import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onnx } from 'onnx-proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyRuntime } from '../../scripts/stub-runtime.ts';
import { diagnoseCuda, diagnoseProviders } from '../../src/runtime/cuda/diagnose.ts';
import { binaryFolder, runIsolated, runtimeFolder } from '../../src/runtime/device/isolated.ts';
import type { SearchPath } from '../../src/runtime/device/libraries.ts';
import { probeModel } from '../../src/runtime/device/probeModel.ts';
import { type Finding, packageVersion } from '../../src/runtime/device/report.ts';
import { openSession } from '../../src/runtime/session.ts';
import { needs } from '../support/needs.ts';
import { needsBinutils, needsLinux } from './tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'lossgraft-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const broken = (findings: readonly Finding[]): string[] => findings.filter(({ ok }) => !ok).map(({ check }) => check);
const empty: SearchPath = { environment: [], cache: new Map(), defaults: [] };
const bare = { search: empty, devices: folder };

describe('the probe model', () => {
  it('is a Conv, a Flatten and a MatMul', () => {
    const { graph, opsetImport } = onnx.ModelProto.decode(probeModel);
    expect(graph?.node?.map(({ opType }) => opType)).toEqual(['Conv', 'Flatten', 'MatMul']);
    expect(Number(opsetImport[0]?.version)).toBe(13);
  });
});

describe('diagnoseProviders', () => {
  it('runs the CPU provider and checks its numbers', async () => {
    const [cpu] = await diagnoseProviders(bare);
    expect(cpu).toEqual({
      provider: 'cpu',
      works: true,
      findings: [{ check: 'run', ok: true, found: 'Conv and MatMul computed -29.5, 28.75', hint: '' }],
    });
  });

  it.each(['darwin arm64', 'win32 x64', 'linux arm64'])('says that %s has no CUDA', async (platform) => {
    const { works, findings } = await diagnoseCuda({ platform });
    expect(works).toBe(false);
    expect(findings).toMatchObject([
      { check: 'platform', found: platform, hint: expect.stringContaining('Linux x64 only') },
    ]);
  });
});

describe('diagnoseCuda', needsLinux, () => {
  let runtime = '';
  beforeAll(async () => {
    runtime = await copyRuntime(folder);
  });
  const put = (name: string, content = ''): void => writeFileSync(join(binaryFolder(runtime), name), content);
  const library = (name: string, source: string, flags: readonly string[], to = binaryFolder(runtime)): void => {
    const file = join(folder, `${name}.c`);
    writeFileSync(file, source);
    execFileSync('gcc', ['-shared', '-fPIC', '-Wl,--no-as-needed', file, ...flags, '-o', join(to, name)]);
  };

  it('names the provider libraries first where nothing is installed, then cuDNN, driver and GPU', async () => {
    const { works, findings } = await diagnoseCuda({ runtime, ...bare });
    const libraries = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'];
    expect(works).toBe(false);
    expect(broken(findings)).toEqual([...libraries, 'libcudnn.so.9', 'libcuda.so.1', 'GPU', 'run']);
    expect(findings.find(({ ok }) => !ok)?.hint).toContain('lossgraft doctor --setup-cuda');
  });

  it('says that a provider is no library, or of another version', async () => {
    put('libonnxruntime_providers_shared.so');
    put('libonnxruntime_providers_cuda.so', 'text\x001.29.0\0');
    const { findings } = await diagnoseCuda({ runtime, ...bare });
    expect(findings.find(({ check }) => check.startsWith('version'))).toMatchObject({ ok: false, found: '1.29.0' });
    const file = findings.filter(({ check }) => check === 'libonnxruntime_providers_cuda.so')[1];
    expect(file).toMatchObject({ ok: false, found: expect.stringContaining('not a dynamic executable') });
  });

  it(
    'names the CUDA libraries that a provider of the right version needs, then finds them',
    needsBinutils,
    async () => {
      const cuda = join(folder, 'cuda');
      mkdirSync(cuda);
      const names = ['libcublas.so.13', 'libcurand.so.10', 'libcuda.so.1'];
      for (const name of names) library(name, 'int stub;', [`-Wl,-soname,${name}`], cuda);
      const source = `const char version[] = "\\0" "${packageVersion(runtime)}";`;
      library(
        'libonnxruntime_providers_cuda.so',
        source,
        names.map((name) => join(cuda, name)),
      );
      library('libonnxruntime_providers_shared.so', 'int shared;', []);

      const system = { ...empty, defaults: ['/lib64', '/lib/x86_64-linux-gnu', '/usr/lib'] };
      const without = await diagnoseCuda({ runtime, ...bare, search: system });
      const rest = ['libcudnn.so.9', 'libcuda.so.1', 'GPU', 'run'];
      expect(broken(without.findings)).toEqual(['libcublas.so.13', 'libcurand.so.10', ...rest]);
      expect(without.findings.find(({ check }) => check === 'libcublas.so.13')).toMatchObject({
        found: 'missing; libonnxruntime_providers_cuda.so needs it',
        hint: expect.stringContaining('of CUDA 13'),
      });
      expect(without.findings.at(-1)?.found).toContain('Failed to load');

      writeFileSync(join(folder, 'nvidia0'), '');
      library('libcudnn.so.9', 'int cudnn;', [], cuda);
      const found = await diagnoseCuda({ runtime, devices: folder, search: { ...system, environment: [cuda] } });
      expect(broken(found.findings)).toEqual(['run']);
      expect(found.works).toBe(false);
    },
  );
});

describe('isolated runs', () => {
  it('survive a crash and say how the process died', async () => {
    const result = await runIsolated({ model: probeModel, provider: 'cpu', runtime: join(folder, 'absent') });
    expect(result).toMatchObject({ outputs: undefined, error: expect.stringContaining('Cannot find module') });
    const killer = join(folder, 'killer.cjs');
    writeFileSync(killer, 'process.kill(process.pid, "SIGSEGV")');
    const crash = await runIsolated({ model: probeModel, provider: 'cpu', runtime: killer });
    expect(crash.error).toMatch(/the process ended with SIGSEGV/);
  });
});

const works = (await diagnoseCuda()).works;

describe('a CUDA session where CUDA does not work', needs(!works, 'a machine without CUDA'), () => {
  it('is refused with everything that is missing and what to do, and nothing falls back', async () => {
    const error = await openSession(probeModel, { provider: 'cuda', name: 'm.onnx' }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'cuda-unavailable', problem: { where: 'm.onnx' }, cause: expect.any(Error) });
    const missing = broken((await diagnoseCuda()).findings).filter((check) => check !== 'run');
    for (const check of missing) expect(String(error)).toContain(check);
    expect(missing.length).toBeGreaterThan(0);
  });

  it('leaves the CPU as it was, and TF32 off', async () => {
    const session = await openSession(probeModel);
    await session.close();
    expect(process.env.NVIDIA_TF32_OVERRIDE).toBe('0');
  });
});

it('uses the installed runtime', () => expect(packageVersion(runtimeFolder())).toBe('1.30.0'));
