import { join } from 'node:path';
import type { Tensor } from '../../src/tensor.ts';
import { launchChromium, serveFolder, visit } from './browser.ts';
import { ROOT } from './cli.ts';

type Tensors = Readonly<Record<string, Tensor>>;

/** onnxruntime-web's WebAssembly in chromium. */
export interface Wasm {
  /** Runs a model once. @throws Error where onnxruntime-web refuses it. */
  run(model: Uint8Array, feeds: Tensors): Promise<Tensors>;
  close(): Promise<void>;
}

/** In the page: tensors come and go as plain objects. */
const RUN = `async ({ model, feeds }) => {
  const ort = await import('/ort.wasm.min.mjs');
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const tensors = Object.entries(feeds).map(([name, { dtype, dims, data }]) => [name, new ort.Tensor(dtype, data, dims)]);
  const session = await ort.InferenceSession.create(model);
  try {
    const results = Object.entries(await session.run(Object.fromEntries(tensors)));
    return Object.fromEntries(results.map(([name, { type, dims, data }]) => [name, { dtype: type, dims, data }]));
  } finally {
    await session.release();
  }
}`;

export async function openWasm(): Promise<Wasm> {
  const browser = await launchChromium();
  const served = await serveFolder(join(ROOT, 'node_modules/onnxruntime-web/dist'));
  const { page } = await visit(browser, served.url);
  const handle = await page.evaluateHandle<(job: { model: Uint8Array; feeds: Tensors }) => Promise<Tensors>>(
    `(${RUN})`,
  );
  return {
    run: (model, feeds) => handle.evaluate((run, job) => run(job), { model: Uint8Array.from(model), feeds }),
    close: async () => {
      await browser.close();
      await served.close();
    },
  };
}
