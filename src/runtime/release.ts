import { MessageChannel } from 'node:worker_threads';
import type { Tensor } from '../tensor.ts';

const { port1: nowhere } = new MessageChannel();
nowhere.close();

/**
 * Gives the memory of tensors back at once: they are empty afterwards. Left to the garbage collector, what a step replaced is still there
 * many steps later, and every new state is written to fresh pages.
 *
 * What is transferred to a port that is closed is taken from its owner all the same (HTML, "message port post message steps"), and then
 * dropped.
 */
export function release(tensors: Iterable<Tensor>): void {
  const buffers = ownBuffers(tensors);
  if (buffers.length > 0) nowhere.postMessage(null, buffers);
}

/** The buffers of those tensors that have one for themselves, each once. */
export function ownBuffers(tensors: Iterable<Tensor>): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const { data } of tensors) {
    if (!ArrayBuffer.isView(data) || data.byteLength === 0 || data.byteLength !== data.buffer.byteLength) continue;
    if (data.buffer instanceof ArrayBuffer) buffers.add(data.buffer);
  }
  return [...buffers];
}
