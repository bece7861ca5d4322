import type { DeviceProof, DeviceProofOptions } from '../../src/runtime/deviceProof.ts';
import { openSession, type Provider } from '../../src/runtime/session.ts';
import { checkNumbers } from '../../src/runtime/webgpu/proof.ts';
import type { Tensor } from '../../src/tensor.ts';

/**
 * Proves on a batch that WebGPU computes what WebAssembly does. Where single nodes ran a page cannot tell: onnxruntime-web has no profile to
 * read.
 *
 * @throws LossgraftError `webgpu-disagrees` naming the output that differs.
 */
export async function proveOnDevice(
  provider: Exclude<Provider, 'cpu'>,
  model: string | Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  { differs, ...options }: DeviceProofOptions = {},
): Promise<DeviceProof> {
  const session = await openSession(model, { ...options, provider });
  const outputs = await session.run(feeds).finally(() => session.close());
  await checkNumbers(options.name ?? 'model', model, feeds, { outputs, differs, options });
  return { outputs, note: 'WebGPU verified on the first batch: numbers as those of WebAssembly' };
}
