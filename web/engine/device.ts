import { adapterHere, adapterName } from '../platform/adapter.ts';
import { type Device, loadRuntime, RUNTIME_FILES } from '../platform/onnxruntime.ts';
import type { Answers } from '../protocol.ts';

/** Chooses who computes: WebGPU on a GPU, else WebAssembly, which is faster than WebGPU in software. */
export async function startDevice(asked: Device | 'auto'): Promise<Answers['start']> {
  const adapter = await adapterHere();
  if (asked === 'webgpu' && adapter === null) throw new Error('this browser gives no WebGPU adapter');
  const name = adapter === null ? '' : await adapterName();
  const isSoftware = adapter !== null && (adapter.info.isFallbackAdapter || /swiftshader|llvmpipe/i.test(name));
  const device: Device = asked === 'auto' ? (adapter === null || isSoftware ? 'wasm' : 'webgpu') : asked;
  await loadRuntime(device);
  return { device, file: RUNTIME_FILES[device], adapter: name, isSoftware };
}
