import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { open, readCounts, trainGraph } from 'lossgraft';
import type { Settings } from './task.ts';

const HERE = import.meta.dirname;
const DIGITS = join(HERE, '../../fixtures/digits');

const PLAN: Settings['plan'] = { epochs: 30, batchSize: 32, learningRate: 0.01, padding: 1, seed: 1 };

/** Makes the training graph and bundles the page: `folder` is then a site that any static server can serve. */
export async function buildSite(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeTask(folder);
  await bundlePage(folder);
}

async function writeTask(folder: string): Promise<void> {
  const model = await open(join(DIGITS, 'model.onnx'));
  try {
    const classCounts = await readCounts(join(DIGITS, 'counts.json'));
    const graph = await trainGraph(model, {
      loss: 'balanced-softmax',
      classCounts,
      trainable: 'all',
      optimizer: 'sgd',
      momentum: 0.9,
    });
    await graph.write(join(folder, 'step.onnx'), { force: true });
    const { trainable: weights, loss, classCounts: counts } = graph.report;
    const settings: Settings = { weights, loss, counts: counts ?? [], plan: PLAN };
    await writeFile(join(folder, 'settings.json'), JSON.stringify(settings));
  } finally {
    model.close();
  }
  for (const name of ['model.onnx', 'train.npz', 'test.npz']) await copyFile(join(DIGITS, name), join(folder, name));
}

async function bundlePage(folder: string): Promise<void> {
  const wasm = fileURLToPath(import.meta.resolve('onnxruntime-web/ort-wasm-simd-threaded.wasm'));
  await build({
    entryPoints: [
      { in: join(HERE, 'index.html'), out: 'index' },
      { in: join(HERE, 'main.ts'), out: 'main' },
      // onnxruntime-web looks for it beside the script.
      { in: wasm, out: 'ort-wasm-simd-threaded' },
    ],
    outdir: folder,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2023',
    loader: { '.html': 'copy', '.wasm': 'copy' },
    plugins: [withoutNode],
    logLevel: 'warning',
  });
}

/** What reads files is not used in a page, and left out with the modules of Node that it imports. */
const withoutNode: Plugin = {
  name: 'without-node',
  setup({ onResolve }) {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, external: true, sideEffects: false }));
  },
};
