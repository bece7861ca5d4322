import { type Device, loadRuntime, RUNTIME_FILES } from '../platform/onnxruntime.ts';
import type { Answers } from '../protocol.ts';

/** Chooses who computes: WebGPU where there is an adapter, else WebAssembly. */
export async function startDevice(asked: Device | 'auto'): Promise<Answers['start']> {
  const adapter = asked === 'wasm' ? null : await adapterOf();
  if (asked === 'webgpu' && adapter === null) throw new Error('this browser gives no WebGPU adapter');
  const device: Device = adapter === null ? 'wasm' : 'webgpu';
  await loadRuntime(device);
  const file = RUNTIME_FILES[device];
  if (adapter === null) return { device, file, adapter: '', isSoftware: false };
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const name = description || [vendor, architecture].filter((part) => part !== '').join(' ');
  return { device, file, adapter: name, isSoftware: isFallbackAdapter || /swiftshader|llvmpipe/i.test(name) };
}

async function adapterOf(): Promise<GPUAdapter | null> {
  try {
    return (await navigator.gpu?.requestAdapter()) ?? null;
  } catch {
    return null;
  }
}
