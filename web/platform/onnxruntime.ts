import { dirname, join } from 'node:path';
import { fs } from 'memfs';
import { env, type InferenceSession as Ort, Tensor } from 'onnxruntime-common';
import { fetchOwn } from '../ownFile.ts';

/**
 * onnxruntime-web in the place of onnxruntime-node. Models that are given by their path are read from the page's memory, and one call runs
 * after the other: the WebGPU build of onnxruntime-web takes no two at once.
 */

export { env, Tensor };

/** Who computes the sessions that train and judge: WebGPU, or WebAssembly. */
export type Device = 'webgpu' | 'wasm';

let loaded: Promise<typeof import('onnxruntime-web/wasm')> | undefined;

/** Loads the build of onnxruntime-web for a device, once. */
export async function loadRuntime(chosen: Device): Promise<void> {
  loaded ??= chosen === 'webgpu' ? import('onnxruntime-web/webgpu') : import('onnxruntime-web/wasm');
  const own = (await loaded).env;
  // More threads need a page that is isolated from other origins, which takes two headers of the server.
  own.wasm.numThreads = 1;
  own.logLevel = 'error';
  own.wasm.wasmBinary = await (await fetchOwn(RUNTIME_FILES[chosen])).arrayBuffer();
}

/** Its WebAssembly, beside the engine's script: set by build.ts. */
declare const RUNTIME_FILES: Readonly<Record<Device, string>>;

export const runtimeFile = (device: Device): string => RUNTIME_FILES[device];

let last: Promise<unknown> = Promise.resolve();

function inTurn<T>(act: () => Promise<T>): Promise<T> {
  const done = last.then(act);
  last = done.catch(() => {});
  return done;
}

async function create(model: string | Uint8Array, options: Ort.SessionOptions): Promise<Ort> {
  const { InferenceSession } = await (loaded ?? Promise.reject(new Error('onnxruntime-web is not loaded')));
  const bytes = typeof model === 'string' ? new Uint8Array(fs.readFileSync(model) as Uint8Array) : model;
  const folder = typeof model === 'string' ? dirname(model) : options.extra?.[EXTERNAL_FOLDER];
  const externalData = typeof folder === 'string' ? externalFiles(folder) : [];
  const { logSeverityLevel = 4, graphOptimizationLevel = 'all', preferredOutputLocation: location } = options;
  return InferenceSession.create(bytes, {
    executionProviders: (options.executionProviders ?? []).map((own) => (own === 'cpu' ? 'wasm' : own)),
    logSeverityLevel,
    graphOptimizationLevel,
    ...(location === undefined ? {} : { preferredOutputLocation: location }),
    ...(externalData.length === 0 ? {} : { externalData }),
  });
}

const EXTERNAL_FOLDER = 'session.model_external_initializers_file_folder_path';
/** Weights beside a model. */
function externalFiles(folder: string): { readonly path: string; readonly data: Uint8Array }[] {
  if (!fs.existsSync(folder)) return [];
  const names = fs.readdirSync(folder, { encoding: 'utf8' }).map(String);
  return names
    .filter((name) => !/\.(onnx|json|txt)$/i.test(name) && fs.statSync(join(folder, name)).isFile())
    .map((path) => ({ path, data: new Uint8Array(fs.readFileSync(join(folder, path)) as Uint8Array) }));
}

/**
 * What `session.ts` asks of a session, one call after the other. Tensors in the GPU's memory are their session's: it is freed when the last of
 * them is.
 */
class PageSession {
  readonly #session: Ort;
  readonly #onDevice = new Set<Tensor>();
  #isReleased = false;

  constructor(session: Ort) {
    this.#session = session;
  }

  get inputMetadata(): Ort['inputMetadata'] {
    return this.#session.inputMetadata;
  }

  get outputMetadata(): Ort['outputMetadata'] {
    return this.#session.outputMetadata;
  }

  async run(feeds: Ort.FeedsType, fetches?: readonly string[]): Promise<Ort.ReturnType> {
    const results = await inTurn(() =>
      fetches === undefined ? this.#session.run(feeds) : this.#session.run(feeds, fetches),
    );
    for (const tensor of Object.values(results)) if (tensor.location === 'gpu-buffer') this.#watch(tensor);
    return results;
  }

  #watch(tensor: Tensor): void {
    const dispose = tensor.dispose.bind(tensor);
    this.#onDevice.add(tensor);
    Object.assign(tensor, {
      dispose: () => {
        dispose();
        this.#onDevice.delete(tensor);
        if (this.#isReleased) this.#free();
      },
    });
  }

  release(): Promise<void> {
    this.#isReleased = true;
    return this.#free();
  }

  async #free(): Promise<void> {
    if (this.#onDevice.size === 0) await inTurn(() => this.#session.release());
  }

  endProfiling(): void {
    throw new Error('a page has no profiles');
  }
}

export const InferenceSession = {
  create: (model: string | Uint8Array, options: Ort.SessionOptions = {}): Promise<PageSession> =>
    inTurn(async () => new PageSession(await create(model, options))),
};
