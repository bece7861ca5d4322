import { MessageChannel } from 'node:worker_threads';
import type { Tensor } from '../tensor.ts';

const { port1: nowhere } = new MessageChannel();
nowhere.close();

/**
 * Frees the memory of tensors at once: they are empty afterwards. The garbage collector would keep replaced states for many steps, and
 * every new state would be written to fresh pages.
 *
 * Transferring to a closed port still detaches a buffer from its owner (HTML, "message port post message steps"), and drops it.
 */
export function release(tensors: Iterable<Tensor>): void {
  const buffers = ownBuffers(tensors);
  if (buffers.length > 0) nowhere.postMessage(null, buffers);
}

/** The buffers that a tensor has for itself, each once. */
export function ownBuffers(tensors: Iterable<Tensor>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of tensors) {
    if (!ArrayBuffer.isView(data) || data.byteLength === 0 || data.byteLength !== data.buffer.byteLength) continue;
    if (data.buffer instanceof ArrayBuffer) buffers.add(data.buffer);
  }
  return [...buffers];
}
