import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const HERE = import.meta.dirname;
const ROOT = join(HERE, '..');

/** What stands in a page for the modules of Node: a file in `platform`, or a package. */
const NODE: Readonly<Record<string, string>> = {
  assert: 'absent.ts',
  buffer: 'buffer.ts',
  child_process: 'absent.ts',
  crypto: 'crypto.ts',
  events: 'events/',
  fs: 'fs.ts',
  'fs/promises': 'fsPromises.ts',
  http: 'absent.ts',
  module: 'absent.ts',
  net: 'absent.ts',
  os: 'os.ts',
  path: 'path-browserify',
  stream: 'readable-stream',
  'stream/promises': 'streams.ts',
  'timers/promises': 'timers.ts',
  url: 'url.ts',
  util: 'util.ts',
  worker_threads: 'workerThreads.ts',
  zlib: 'zlib.ts',
};

/** Packages that a page has its own of. */
const PACKAGES: Readonly<Record<string, string>> = {
  'hyparquet-writer': 'hyparquetWriter.ts',
  'jsonc-parser': 'jsonc.ts',
  'onnxruntime-node': 'onnxruntime.ts',
  sharp: 'sharp.ts',
};

/** Files of the engine that start processes or threads, read profiles, or make code out of strings. */
const FILES: Readonly<Record<string, string>> = {
  'src/builtFile.ts': 'builtFile.ts',
  'src/runtime/device/isolated.ts': 'isolated.ts',
  'src/runtime/deviceProof.ts': 'deviceProof.ts',
  'src/runFolder/tensorboard.ts': 'tensorboard.ts',
  'src/train/versions.ts': 'versions.ts',
};

/** What is copied as it is: a name in the site, and where it comes from. */
const COPIED: Readonly<Record<string, string>> = {
  'icon.svg': 'web/icon.svg',
  'manifest.webmanifest': 'web/manifest.webmanifest',
  'example/digits.onnx': 'fixtures/digits/model.onnx',
  'example/collected.npz': 'fixtures/digits/collected.npz',
};

/** onnxruntime-web's WebAssembly for each device. */
const RUNTIMES = { wasm: 'ort-wasm-simd-threaded', webgpu: 'ort-wasm-simd-threaded.asyncify' } as const;

/**
 * Builds the page into `folder`, which any static server can then serve. The names of scripts, styles and WebAssembly contain their digest: a
 * page never meets the engine of another build.
 */
export async function buildPage(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'example'), { recursive: true });
  for (const [name, from] of Object.entries(COPIED)) await copyFile(join(ROOT, from), join(folder, name));
  const runtimes = await copyRuntimes(folder);
  const inject = [join(HERE, 'platform/globals.ts')];
  const engine = await bundle(folder, 'engine/worker.ts', { inject, define: defined({ RUNTIME_FILES: runtimes }) });
  const main = await bundle(folder, 'page/main.ts', { define: defined({ ENGINE: engine }) });
  const style = await copyHashed(folder, join(HERE, 'style.css'), 'style', '.css');
  const html = await readFile(join(HERE, 'index.html'), 'utf8');
  await writeFile(join(folder, 'index.html'), html.replace('style.css', style).replace('main.js', main));
  await addServiceWorker(folder);
}

/** Adds the service worker, which keeps just the files that lie in `folder` now: it refuses others that come by their names. */
export async function addServiceWorker(folder: string): Promise<void> {
  const names = (await filesOf(folder)).filter((name) => name !== WORKER);
  const digests = await Promise.all(names.map(async (name) => [name, await digest(join(folder, name))] as const));
  const files = digests.map(([name, hash]) => [name, `sha256-${hash.toString('base64')}`] as const);
  const isRuntime = ([name]: readonly [string, string]): boolean => name.endsWith('.wasm');
  const define = defined({
    BUILD: createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 16),
    FILES: files.filter((file) => !isRuntime(file)).map(([name, hash]) => [name === 'index.html' ? './' : name, hash]),
    RUNTIMES: files.filter(isRuntime),
  });
  await bundle(folder, 'serviceWorker/serviceWorker.ts', { define, entryNames: '[name]', splitting: false });
}

const WORKER = 'serviceWorker.js';

function defined(values: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, JSON.stringify(value)]));
}

async function copyRuntimes(folder: string): Promise<Readonly<Record<string, string>>> {
  const copied = Object.entries(RUNTIMES).map(async ([device, name]) => {
    const from = fileURLToPath(import.meta.resolve(`onnxruntime-web/${name}.wasm`));
    return [device, await copyHashed(folder, from, name, '.wasm')] as const;
  });
  return Object.fromEntries(await Promise.all(copied));
}

async function copyHashed(folder: string, from: string, name: string, ending: string): Promise<string> {
  const hashed = `${name}-${(await digest(from)).toString('hex').slice(0, 8)}${ending}`;
  await copyFile(from, join(folder, hashed));
  return hashed;
}

async function digest(file: string): Promise<Buffer> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest();
}

/** @returns the name of the script. */
async function bundle(folder: string, entry: string, more: BuildOptions): Promise<string> {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: [join(HERE, entry)],
    outdir: folder,
    entryNames: 'parts/[name]-[hash]',
    chunkNames: 'parts/[name]-[hash]',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2023',
    platform: 'browser',
    plugins: [inPage],
    logLevel: 'warning',
    legalComments: 'linked',
    metafile: true,
    ...more,
  });
  const [script] = Object.entries(metafile?.outputs ?? {}).find(([, made]) => made.entryPoint === `web/${entry}`) ?? [];
  if (script === undefined) throw new Error(`${entry} became no script`);
  return relative(folder, join(ROOT, script)).replaceAll('\\', '/');
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

const PLATFORM = join(HERE, 'platform');

const inPage: Plugin = {
  name: 'in-page',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /./ }, ({ path, importer, resolveDir }) => {
      const name = path.replace(/^node:/, '');
      const file = relative(ROOT, join(resolveDir, path)).replaceAll('\\', '/');
      const isOurs = importer.startsWith(PLATFORM);
      const to = NODE[name] ?? (isOurs ? undefined : (PACKAGES[path] ?? FILES[file]));
      if (to === undefined) return undefined;
      return to.endsWith('.ts')
        ? { path: join(PLATFORM, to) }
        : resolve(to, { resolveDir: ROOT, kind: 'import-statement' });
    });
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage(process.argv[2] ?? join(ROOT, 'dist-web'));
