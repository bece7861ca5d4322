import { accessSync, constants, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { findLibrary, type SearchPath, systemSearchPath } from '../device/libraries.ts';
import type { DiagnoseOptions, Finding, ProviderReport } from '../device/report.ts';
import { type Adapter, describeAdapter, probeWebgpu } from './adapter.ts';

/** Where onnxruntime-node has WebGPU. */
const PLATFORMS: readonly string[] = ['linux x64', 'win32 x64', 'win32 arm64', 'darwin arm64'];

export interface WebgpuReport extends ProviderReport {
  readonly adapter: Adapter | undefined;
}

/** What stands between this machine and a WebGPU session. */
export async function diagnoseWebgpu(options: DiagnoseOptions = {}): Promise<WebgpuReport> {
  const platform = options.platform ?? `${process.platform} ${process.arch}`;
  const report = { provider: 'webgpu' } as const;
  if (!PLATFORMS.includes(platform)) {
    const hint = `onnxruntime-node has WebGPU on ${PLATFORMS.join(', ')}: run there, or use the CPU`;
    const findings = [{ check: 'platform', ok: false, found: platform, hint }];
    return { ...report, works: false, findings, adapter: undefined };
  }
  const here = platform === 'linux x64' ? await linuxFindings(options) : [];
  const { adapter, error, isRight, outputs } = await probeWebgpu({
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
    ...(options.search === undefined ? {} : { environment: { LD_LIBRARY_PATH: options.search.environment.join(':') } }),
  });
  const numbers = outputs?.y?.join(', ') ?? '';
  const run = {
    check: 'run',
    ok: isRight,
    found:
      error?.replace(/^.*was false\. /s, '').trim() ??
      (isRight ? `Conv and MatMul computed ${numbers}` : `computed ${numbers}, which is wrong`),
    hint: isRight ? '' : error === undefined ? WRONG : NO_ADAPTER,
  };
  const named = {
    check: 'adapter',
    ok: true,
    found: describeAdapter(adapter),
    hint: adapter.isSoftware ? SOFTWARE : '',
  };
  const findings = [{ check: 'platform', ok: true, found: platform, hint: '' }, ...here];
  return {
    ...report,
    works: run.ok,
    findings: [...findings, ...(run.ok ? [named] : []), run],
    adapter: run.ok ? adapter : undefined,
  };
}

const WRONG = 'The driver computes wrong numbers: do not use it; update it';
const SOFTWARE = 'A software adapter is slower than the provider cpu: install the driver of a GPU for speed';
const NO_ADAPTER =
  "Install the GPU's Vulkan driver (Mesa: mesa-vulkan-drivers; NVIDIA's own brings it). In a container, pass it the GPU " +
  '(docker run --device /dev/dri; NVIDIA: docker run --gpus all, with NVIDIA_DRIVER_CAPABILITIES=all). Without a display, set XDG_RUNTIME_DIR to a folder. ' +
  'A driver elsewhere is named by VK_ICD_FILENAMES. Or use the provider cpu';

const LOADER = 'libvulkan.so.1';

async function linuxFindings(options: DiagnoseOptions): Promise<Finding[]> {
  return [
    checkLoader(options.search ?? (await systemSearchPath())),
    checkDrivers(),
    checkDevice(options.devices ?? '/dev'),
  ];
}

function checkLoader(search: SearchPath): Finding {
  const path = findLibrary(LOADER, search);
  const hint = path === undefined ? 'Install the Vulkan loader (Debian and Ubuntu: libvulkan1)' : '';
  return { check: LOADER, ok: path !== undefined, found: path ?? 'missing: the Vulkan loader', hint };
}

/** The files that name drivers, as Vulkan's loader looks for them. */
export function driverManifests(env: NodeJS.ProcessEnv = process.env): readonly string[] {
  const named = env.VK_DRIVER_FILES ?? env.VK_ICD_FILENAMES;
  if (named !== undefined && named !== '') return named.split(delimiter).filter(isReadable);
  const data = (env.XDG_DATA_DIRS ?? '/usr/local/share:/usr/share').split(':');
  const homes = [env.XDG_DATA_HOME ?? join(homedir(), '.local/share')];
  return ['/etc', ...homes, ...data].flatMap((folder) => jsonFiles(join(folder, 'vulkan/icd.d')));
}

function jsonFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => join(folder, name));
  } catch {
    return [];
  }
}

function checkDrivers(): Finding {
  const manifests = driverManifests();
  const ok = manifests.length > 0;
  const found = ok ? manifests.map((path) => basename(path)).join(', ') : 'none';
  return { check: 'Vulkan drivers', ok, found, hint: ok ? '' : NO_ADAPTER };
}

/** Not needed by a driver in software. */
function checkDevice(folder: string): Finding {
  const names = [...list(join(folder, 'dri')).map((name) => `dri/${name}`), ...list(folder)];
  const found = names.find((name) => /^(dri\/renderD\d+|nvidia\d+|dxg)$/.test(name));
  if (found === undefined)
    return { check: 'GPU', ok: true, found: `no device in ${folder}: software at most`, hint: '' };
  const ok = isReadable(join(folder, found), constants.R_OK | constants.W_OK);
  const hint = ok ? '' : `Grant this user access to ${join(folder, found)} (the groups render and video)`;
  return { check: 'GPU', ok, found: `${join(folder, found)}${ok ? '' : ', not readable'}`, hint };
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function isReadable(path: string, mode: number = constants.R_OK): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    return false;
  }
}
