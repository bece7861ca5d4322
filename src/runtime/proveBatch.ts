import type { Tensor } from '../tensor.ts';
import { type DeviceProof, proveOnDevice } from './deviceProof.ts';
import type { ModelFile, Provider } from './session.ts';
import { batchOf, rowsOf, withFittingBatch } from './webgpu/fitting.ts';

/**
 * Proves a verb's first batch as {@link proveOnDevice} does. Where the GPU has no memory for it, the error says how large a batch fits.
 *
 * @param run takes a part of the batch.
 */
export async function proveBatch(
  provider: Exclude<Provider, 'cpu'>,
  { file, session }: ModelFile,
  feeds: Readonly<Record<string, Tensor>>,
  run: (some: Record<string, Tensor>) => Promise<unknown>,
): Promise<DeviceProof> {
  const batch = batchOf(feeds);
  return proveOnDevice(provider, file, feeds, session).catch(async (error: unknown) => {
    throw await withFittingBatch(error, batch, (rows) => run(rowsOf(feeds, batch, rows)));
  });
}
