import { Tensor } from 'onnxruntime-common';
import type { IsolatedResult, IsolatedRun } from '../../src/runtime/device/isolated.ts';
import { adapterName } from './adapter.ts';
import { InferenceSession } from './onnxruntime.ts';

/** A page has no processes: the run is one like any other. Its log names the adapter, as Vulkan's loader does on Linux. */
export async function runIsolated({ model, feeds, provider }: IsolatedRun): Promise<IsolatedResult> {
  const log = `Using "${await adapterName()}" with driver: "the browser"`;
  try {
    const executionProviders =
      provider === 'webgpu' ? [{ name: provider, preferredLayout: 'NCHW' } as const] : [provider];
    const session = await InferenceSession.create(model, { executionProviders });
    const given = Object.entries(feeds ?? {}).map(([name, { dims, data }]) => {
      return [name, new Tensor('float32', Float32Array.from(data), dims)] as const;
    });
    const results = await session.run(Object.fromEntries(given)).finally(() => session.release());
    const outputs = Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)] as const);
    return { outputs: Object.fromEntries(outputs), error: undefined, log };
  } catch (error) {
    return { outputs: undefined, error: error instanceof Error ? error.message : String(error), log };
  }
}

export function runtimeFolder(): never {
  throw new Error('a page has no packages');
}

export const binaryFolder: () => never = runtimeFolder;
