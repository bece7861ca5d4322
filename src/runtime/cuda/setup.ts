import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { LossgraftError, option } from '../../errors.ts';
import { replaceFile } from '../../files/whole.ts';
import { binaryFolder, runtimeFolder } from '../device/isolated.ts';
import { packageVersion } from '../device/report.ts';
import { CUDA_LIBRARY, SHARED_LIBRARY, versionsIn } from './diagnose.ts';

/** Rows of `setupCuda`'s table: the runtime room is below the tables. */
export interface SetupOptions {
  readonly to?: string;
  readonly source?: 'runtime' | 'wheel';
  readonly force?: boolean;
  readonly log?: (line: string) => void;
}

export interface SetupResult {
  readonly folder: string;
  readonly files: readonly string[];
  readonly source: 'runtime' | 'wheel' | 'already there';
}

const LIBRARIES: readonly string[] = [SHARED_LIBRARY, CUDA_LIBRARY];
const SILENT = (): void => undefined;

/**
 * Installs the CUDA provider of onnxruntime-node's own version: by its installer if that can download, otherwise from the wheel
 * onnxruntime-gpu, which `python3 -m pip` downloads and checks. It does not install NVIDIA's own libraries.
 *
 * @throws LossgraftError if it is unavailable, has another version, or would replace other files without `force`.
 */
export async function setupCuda(options: SetupOptions = {}): Promise<SetupResult> {
  const runtime = runtimeFolder();
  const folder = options.to ?? binaryFolder(runtime);
  const log = options.log ?? SILENT;
  const version = packageVersion(runtime);
  requirePlatform();
  const present = LIBRARIES.filter((name) => existsSync(join(folder, name)));
  if (present.length > 0 && options.force !== true) return await keep(folder, version, present);
  if (options.source === 'runtime' && options.to !== undefined) throw onlyBeside(options.to);
  if (options.source !== 'wheel' && options.to === undefined) {
    log(`onnxruntime-node's own installer, version ${version}`);
    const failure = await runInstaller(runtime, log);
    if (failure === undefined) return await checked(folder, version, 'runtime');
    if (options.source === 'runtime') throw unavailable("onnxruntime-node's installer", failure);
    log(`It could not download: ${failure}`);
  }
  await fromWheel(version, folder, log);
  return await checked(folder, version, 'wheel');
}

function requirePlatform(): void {
  const platform = `${process.platform} ${process.arch}`;
  if (platform === 'linux x64') return;
  throw new LossgraftError({
    code: 'no-cuda-here',
    where: 'CUDA setup',
    expected: 'linux x64',
    found: platform,
    hint: 'onnxruntime-node has CUDA on Linux x64 only',
  });
}

async function keep(folder: string, version: string, present: readonly string[]): Promise<SetupResult> {
  const whole = present.length === LIBRARIES.length;
  const versions = present.includes(CUDA_LIBRARY) ? await versionsIn(join(folder, CUDA_LIBRARY)) : new Set<string>();
  if (whole && versions.has(version)) return { folder, files: present, source: 'already there' };
  throw new LossgraftError({
    code: 'provider-exists',
    where: folder,
    expected: `no provider libraries, or only those of version ${version}`,
    found: `${present.join(', ')}${versions.size > 0 ? ` of version ${[...versions].join(', ')}` : ''}`,
    hint: `Remove them, or replace them: ${option('force')}`,
  });
}

async function checked(folder: string, version: string, source: 'runtime' | 'wheel'): Promise<SetupResult> {
  const missing = LIBRARIES.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) throw unavailable(folder, `no ${missing.join(', ')} after the installation`);
  const versions = await versionsIn(join(folder, CUDA_LIBRARY));
  if (!versions.has(version))
    throw unavailable(folder, `version ${[...versions].join(', ') || 'unknown'} instead of ${version}`);
  return { folder, files: LIBRARIES, source };
}

/** Runs onnxruntime-node's script. Returns the reason if it fails. */
async function runInstaller(runtime: string, log: (line: string) => void): Promise<string | undefined> {
  const script = join(runtime, 'script', 'install.js');
  const { code, output } = await run(process.execPath, [script], { ONNXRUNTIME_NODE_INSTALL: 'true' }, log);
  if (code === 0) return undefined;
  return (
    output
      .split('\n')
      .find((line) => /^\s*\w*Error/.test(line))
      ?.trim() ?? `exit code ${code}`
  );
}

async function fromWheel(version: string, folder: string, log: (line: string) => void): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'lossgraft-cuda-'));
  try {
    const wanted = `onnxruntime-gpu==${version}`;
    log(`python3 -m pip download ${wanted} (about 250 MB)`);
    // Fixed tags: the libraries come from one wheel, whatever python3 is installed.
    const tags = ['--only-binary', ':all:', '--platform', 'manylinux_2_28_x86_64', '--python-version', '3.12'];
    const args = [
      '-m',
      'pip',
      'download',
      '--no-deps',
      '--quiet',
      '--disable-pip-version-check',
      ...tags,
      '-d',
      work,
      wanted,
    ];
    const { code, output } = await run('python3', args, {}, log);
    if (code !== 0)
      throw unavailable(`python3 -m pip download ${wanted}`, output.trim().split('\n').at(-1) ?? `exit code ${code}`);
    const wheel = (await readdir(work)).find((name) => name.endsWith('.whl'));
    if (wheel === undefined) throw unavailable(wanted, 'a download without a wheel');
    await unpack(join(work, wheel), work);
    await mkdir(folder, { recursive: true });
    for (const name of LIBRARIES) install(join(work, name), join(folder, name));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Extracts the provider's libraries from a wheel into `folder`, streaming. */
export async function unpack(wheel: string, folder: string): Promise<void> {
  const zip = await openPromise(wheel);
  try {
    for await (const entry of zip.eachEntry()) {
      const name = LIBRARIES.find((library) => entry.fileName === `onnxruntime/capi/${library}`);
      if (name === undefined) continue;
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(join(folder, name)));
    }
  } finally {
    zip.close();
  }
  const missing = LIBRARIES.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) throw unavailable(wheel, `a wheel without ${missing.join(', ')}`);
}

/** A library is written completely or not at all. */
function install(from: string, to: string): void {
  replaceFile(to, (temporary) => {
    copyFileSync(from, temporary);
    chmodSync(temporary, 0o755);
  });
}

function run(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  log: (line: string) => void,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(command, args, { env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  return new Promise((resolve) => {
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString('utf8');
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => resolve({ code: null, output: error.message }));
    child.on('close', (code) => {
      if (code === 0 && output.trim() !== '') log(output.trim());
      resolve({ code, output });
    });
  });
}

function unavailable(where: string, found: string): LossgraftError {
  return new LossgraftError({
    code: 'provider-unavailable',
    where,
    expected: 'the CUDA provider of the same version as onnxruntime-node',
    found,
    hint: 'docs/cuda.md describes how to install the two libraries by hand',
  });
}

function onlyBeside(to: string): LossgraftError {
  return new LossgraftError({
    code: 'installer-has-one-place',
    where: to,
    expected: 'the source wheel',
    found: "the source runtime, whose installer writes beside onnxruntime-node's own library only",
    hint: `Leave out ${option('to')}, or take ${option('source', 'wheel')}`,
  });
}
