import { createHash } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
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

/** Files of the engine that start processes or threads, or read profiles. */
const FILES: Readonly<Record<string, string>> = {
  'src/builtFile.ts': 'builtFile.ts',
  'src/runtime/device/isolated.ts': 'isolated.ts',
  'src/runtime/deviceProof.ts': 'deviceProof.ts',
  'src/train/versions.ts': 'versions.ts',
};

/** What is copied as it is: a name in the site, and where it comes from. */
const COPIED: Readonly<Record<string, string>> = {
  'index.html': 'web/index.html',
  'style.css': 'web/style.css',
  'icon.svg': 'web/icon.svg',
  'manifest.webmanifest': 'web/manifest.webmanifest',
  'example/digits.onnx': 'fixtures/digits/model.onnx',
  'example/collected.npz': 'fixtures/digits/collected.npz',
};

/** onnxruntime-web looks for them beside the scripts: of WebAssembly, and of WebGPU. */
const RUNTIMES = ['ort-wasm-simd-threaded.wasm', 'ort-wasm-simd-threaded.asyncify.wasm'];

/** Builds the page into `folder`, which any static server can then serve. */
export async function buildPage(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, 'example'), { recursive: true });
  for (const [name, from] of Object.entries(COPIED)) await copyFile(join(ROOT, from), join(folder, name));
  for (const name of RUNTIMES)
    await copyFile(fileURLToPath(import.meta.resolve(`onnxruntime-web/${name}`)), join(folder, name));
  await bundle(folder, { engine: 'engine/worker.ts' }, { inject: [join(HERE, 'platform/globals.ts')] });
  await bundle(folder, { main: 'page/main.ts' });
  const files = await filesOf(folder);
  const kept = files.filter((name) => !name.endsWith('.wasm'));
  const define = {
    CACHE: JSON.stringify(`lossgraft-${await digest(folder, files)}`),
    FILES: JSON.stringify(['./', ...kept]),
  };
  await bundle(folder, { serviceWorker: 'serviceWorker/serviceWorker.ts' }, { define });
}

async function bundle(
  folder: string,
  entries: Readonly<Record<string, string>>,
  more: BuildOptions = {},
): Promise<void> {
  await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, join(HERE, file)])),
    outdir: folder,
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
    ...more,
  });
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

/** Other files are another build. */
async function digest(folder: string, files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const name of files) hash.update(name).update(await readFile(join(folder, name)));
  return hash.digest('hex').slice(0, 16);
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
