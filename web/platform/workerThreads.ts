import { EventEmitter } from 'node:events';

/**
 * lossgraft's training thread. The engine of the page is in a worker already, so its thread is the same one, behind a message channel as in
 * Node: what is handed on is taken from its owner.
 */
export const isMainThread = true;

const channel = new globalThis.MessageChannel();
const outer = channel.port1;
let thread: Promise<{ end(): Promise<void> }> | undefined;

/** What the thread sees. */
export const parentPort = {
  on(_event: 'message', listener: (message: unknown) => void): void {
    channel.port2.onmessage = ({ data }) => listener(data);
  },
  postMessage(message: unknown, handedOn: Transferable[] = []): void {
    channel.port2.postMessage(message, handedOn);
  },
};

/** What the engine sees: one at a time. */
export class Worker extends EventEmitter {
  constructor() {
    super();
    outer.onmessage = ({ data }) => this.emit('message', data);
    thread ??= import('../../src/thread/worker.ts');
    thread.catch((error: unknown) => this.emit('error', error));
  }

  postMessage(message: unknown, handedOn: Transferable[] = []): void {
    outer.postMessage(message, handedOn);
  }

  async terminate(): Promise<void> {
    await (await thread)?.end();
  }
}

export const MessageChannel = globalThis.MessageChannel;
