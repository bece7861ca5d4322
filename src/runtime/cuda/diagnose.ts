import { createReadStream, existsSync } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { LossgraftError } from '../../errors.ts';
import { binaryFolder, runIsolated, runtimeFolder } from '../device/isolated.ts';
import { dependencies, findLibrary, type SearchPath, systemSearchPath } from '../device/libraries.ts';
import { isProbeRight, probeAnswer, probeFeeds, probeModel } from '../device/probeModel.ts';
import { type DiagnoseOptions, type Finding, type ProviderReport, packageVersion } from '../device/report.ts';
import { loadError } from './placement.ts';

function setupHint(runtime: string): string {
  const wheel = `the Python wheel onnxruntime-gpu==${packageVersion(runtime)}`;
  const folder = binaryFolder(runtime);
  return `Run lossgraft doctor --setup-cuda, or unzip the libonnxruntime_providers_{cuda,shared}.so of ${wheel} into ${folder}`;
}

/** Finds out which providers really work here, or why not, each by a run in a child process whose numbers are checked. */
export async function diagnoseProviders(options: DiagnoseOptions = {}): Promise<ProviderReport[]> {
  return [await diagnoseCpu(options), await diagnoseCuda(options)];
}

async function diagnoseCpu(options: DiagnoseOptions): Promise<ProviderReport> {
  const run = await probe(
    'cpu',
    options,
    'Reinstall onnxruntime-node; it has binaries for Linux, Windows and macOS on arm64',
  );
  return { provider: 'cpu', works: run.ok, findings: [run] };
}

/** What this machine lacks for a CUDA session. */
export async function diagnoseCuda(options: DiagnoseOptions = {}): Promise<ProviderReport> {
  const platform = options.platform ?? `${process.platform} ${process.arch}`;
  if (platform !== 'linux x64') {
    const hint = 'onnxruntime-node has CUDA on Linux x64 only: run there, or use the CPU';
    return { provider: 'cuda', works: false, findings: [{ check: 'platform', ok: false, found: platform, hint }] };
  }
  const runtime = options.runtime ?? runtimeFolder();
  const search = options.search ?? (await systemSearchPath());
  const provider = await checkProvider(runtime);
  const present = provider.every(({ check, ok }) => ok || check === VERSION_CHECK);
  const findings = [
    { check: 'platform', ok: true, found: platform, hint: '' },
    ...provider,
    ...(present ? await checkLibraries(join(binaryFolder(runtime), CUDA_LIBRARY), search) : []),
    checkCudnn(search),
    checkDriver(search),
    await checkDevice(options.devices ?? '/dev'),
  ];
  const first = findings.find(({ ok }) => !ok);
  const run = present
    ? await probe('cuda', options, first?.hint ?? 'See docs/cuda.md; nvidia-smi shows whether the driver works')
    : { check: 'run', ok: false, found: 'not checked: the provider library is missing', hint: setupHint(runtime) };
  return { provider: 'cuda', works: run.ok, findings: [...findings, run] };
}

export const SHARED_LIBRARY = 'libonnxruntime_providers_shared.so';
export const CUDA_LIBRARY = 'libonnxruntime_providers_cuda.so';
const VERSION_CHECK = `version of ${CUDA_LIBRARY}`;

async function checkProvider(runtime: string): Promise<Finding[]> {
  const folder = binaryFolder(runtime);
  const missing = [SHARED_LIBRARY, CUDA_LIBRARY].filter((name) => !existsSync(join(folder, name)));
  const files = [SHARED_LIBRARY, CUDA_LIBRARY].map((name) => {
    const ok = !missing.includes(name);
    return { check: name, ok, found: ok ? folder : `missing in ${folder}`, hint: ok ? '' : setupHint(runtime) };
  });
  if (missing.includes(CUDA_LIBRARY)) return files;
  const wanted = packageVersion(runtime);
  const versions = await versionsIn(join(folder, CUDA_LIBRARY));
  const ok = versions.has(wanted);
  const found = [...versions].join(', ') || 'no version';
  const hint = ok ? '' : `It must match onnxruntime-node ${wanted}: run lossgraft doctor --setup-cuda --force`;
  return [...files, { check: VERSION_CHECK, ok, found, hint }];
}

/** The C strings in a library that look like a version of ONNX Runtime. */
export async function versionsIn(library: string): Promise<Set<string>> {
  const versions = new Set<string>();
  let tail = '';
  for await (const chunk of createReadStream(library, { encoding: 'latin1', highWaterMark: 1 << 22 })) {
    const text = tail + chunk;
    for (const [, version = ''] of text.matchAll(/\0(1\.\d{1,2}\.\d{1,2})(?=\0)/g)) versions.add(version);
    tail = text.slice(-16);
  }
  return versions;
}

async function checkLibraries(provider: string, search: SearchPath): Promise<Finding[]> {
  try {
    const needed = await dependencies(provider, search);
    return needed
      .filter(({ name, path }) => name !== DRIVER && (path === undefined || /^lib(cu|nv)/.test(name)))
      .map(({ name, path }) => ({
        check: name,
        ok: path !== undefined,
        found: path ?? `missing; ${basename(provider)} needs it`,
        hint: path === undefined ? libraryHint(name) : '',
      }));
  } catch (error) {
    if (!(error instanceof LossgraftError)) throw error;
    const { where, found, hint } = error.problem;
    return [{ check: basename(where), ok: false, found, hint }];
  }
}

function libraryHint(name: string): string {
  const [, library = '', major = ''] = /^lib(cu\w+|nv\w+)\.so\.?(\d*)/.exec(name) ?? [];
  if (library === '') return `Install the system package that provides ${name}`;
  const cuda = library === 'curand' ? '' : ` of CUDA ${major}`;
  return `Install the runtime libraries${cuda} and add the folder of ${name} to LD_LIBRARY_PATH before Node starts`;
}

const DRIVER_HINT = "Install NVIDIA's driver; in a container, start it with the GPU (docker run --gpus all)";

const DRIVER = 'libcuda.so.1';

function checkDriver(search: SearchPath): Finding {
  const path = findLibrary(DRIVER, search);
  const hint = path === undefined ? DRIVER_HINT : '';
  return { check: DRIVER, ok: path !== undefined, found: path ?? 'missing: the driver', hint };
}

function checkCudnn(search: SearchPath): Finding {
  const path = findLibrary('libcudnn.so.9', search);
  const hint =
    path === undefined
      ? 'Install cuDNN 9 for the same CUDA version and add its folder to LD_LIBRARY_PATH before Node starts'
      : '';
  return {
    check: 'libcudnn.so.9',
    ok: path !== undefined,
    found: path ?? 'missing; Conv, pooling and other operators need it',
    hint,
  };
}

async function checkDevice(folder: string): Promise<Finding> {
  const files = await readdir(folder).catch(() => []);
  const device = files.find((name) => /^nvidia\d+$/.test(name)) ?? files.find((name) => name === 'dxg');
  if (device === undefined)
    return { check: 'GPU', ok: false, found: `no nvidia device in ${folder}`, hint: DRIVER_HINT };
  const path = join(folder, device);
  const ok = await access(path, 6).then(
    () => true,
    () => false,
  );
  return {
    check: 'GPU',
    ok,
    found: ok ? path : `${path}, not readable`,
    hint: ok ? '' : `Grant this user access to ${path}`,
  };
}

async function probe(provider: 'cpu' | 'cuda', options: DiagnoseOptions, hint: string): Promise<Finding> {
  const environment = options.search === undefined ? {} : { LD_LIBRARY_PATH: options.search.environment.join(':') };
  const runtime = options.runtime ?? runtimeFolder();
  const { outputs, error, log } = await runIsolated({
    model: probeModel,
    feeds: probeFeeds,
    provider,
    runtime,
    environment,
  });
  if (error !== undefined) return { check: 'run', ok: false, found: `${error.trim()}${loadError(log)}`, hint };
  const numbers = outputs?.y ?? [];
  const ok = isProbeRight(numbers);
  const found = ok
    ? `Conv and MatMul computed ${numbers.join(', ')}`
    : `computed ${numbers.join(', ')}, not ${probeAnswer.join(', ')}`;
  return {
    check: 'run',
    ok,
    found,
    hint: ok ? '' : 'The provider computes wrong numbers: do not use it; check the driver',
  };
}
