import { type IsolatedResult, type IsolatedRun, runIsolated } from '../device/isolated.ts';
import { isProbeRight, probeFeeds, probeModel } from '../device/probeModel.ts';

/** What computes WebGPU's shaders. */
export interface Adapter {
  /** As its driver calls it; `null` where nothing tells: only Vulkan's loader does, on Linux. */
  readonly name: string | null;
  /** The library of its driver. */
  readonly driver: string | null;
  /** Whether it is the processor that computes, as far as the name tells. */
  readonly isSoftware: boolean;
}

/** How Vulkan's loader is made to say which device was taken. */
export const LOADER_LOG: Readonly<Record<string, string>> = { VK_LOADER_DEBUG: 'driver' };

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|software/i;

/** The device that Vulkan's loader gave to the first one that asked for it, out of its log. */
export function readAdapter(log: string): Adapter {
  const [, name = null, driver = null] = /Using "([^"]+)" with driver: "([^"]+)"/.exec(log) ?? [];
  return { name, driver, isSoftware: name !== null && SOFTWARE.test(name) };
}

export function describeAdapter({ name, isSoftware }: Adapter): string {
  if (name === null) return 'an adapter whose name the runtime does not tell';
  return isSoftware ? `${name}, in software: the processor computes` : name;
}

/** A run of a small model on WebGPU, in a child process. */
export async function probeWebgpu(
  options: Pick<IsolatedRun, 'runtime' | 'environment'> = {},
): Promise<IsolatedResult & { readonly adapter: Adapter; readonly isRight: boolean }> {
  const environment = { ...LOADER_LOG, ...options.environment };
  const ran = await runIsolated({ ...options, model: probeModel, feeds: probeFeeds, provider: 'webgpu', environment });
  return { ...ran, adapter: readAdapter(ran.log), isRight: isProbeRight(ran.outputs?.y) };
}
