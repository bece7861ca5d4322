import { LossgraftError } from '../../src/index.ts';
import { adapterHere, adapterName } from '../platform/adapter.ts';
import { type Device, loadRuntime, runtimeFile } from '../platform/onnxruntime.ts';
import type { Answers } from '../protocol.ts';

/** Chooses who computes: WebGPU on a GPU, else WebAssembly, which is faster than WebGPU in software. */
export async function startDevice(asked: Device | 'auto'): Promise<Answers['start']> {
  const adapter = await adapterHere();
  if (asked === 'webgpu' && adapter === null) throw noAdapter();
  const name = adapter === null ? '' : await adapterName();
  const isSoftware = adapter !== null && (adapter.info.isFallbackAdapter || /swiftshader|llvmpipe/i.test(name));
  const device: Device = asked === 'auto' ? (adapter === null || isSoftware ? 'wasm' : 'webgpu') : asked;
  await loadRuntime(device);
  return { device, file: runtimeFile(device), adapter: name, isSoftware };
}

function noAdapter(): LossgraftError {
  return new LossgraftError({
    code: 'webgpu-unavailable',
    where: '“Computed by”',
    expected: 'a browser with a WebGPU adapter',
    found: 'none',
    hint: 'Choose WebAssembly, or switch on the browser’s hardware acceleration and load the page again',
  });
}
